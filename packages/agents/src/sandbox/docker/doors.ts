import type { SandboxListener } from "@tracemill/core/ports/sandbox.ts";
import type Docker from "dockerode";
import { type OnConnection, serveDoor } from "../doors.ts";
import { listenInside } from "../listen-inside.ts";
import { openRelay } from "./relay.ts";
import { networkOf, ownEngineMissing, pidOf } from "./way-in.ts";

export interface ContainerDoorOptions {
  docker: Docker;
  containerId: string;
  /** `relay`: as if this process could not enter the container's network. */
  doors: "auto" | "relay";
  /** An image that has Node at `/node`. */
  relayImage(): Promise<string>;
  labels: Readonly<Record<string, string>>;
}

/**
 * Listens on 127.0.0.1 of a container's network: by entering it where that is possible, else by a container beside it.
 * @throws TracemillError `sandbox-failed`, `unsupported` where neither is possible.
 */
export async function openContainerDoor(
  { docker, containerId, doors, relayImage, labels }: ContainerDoorOptions,
  onConnection: OnConnection,
): Promise<SandboxListener> {
  const canEnter = doors === "auto" && ownEngineMissing(docker) === undefined;
  const pid = canEnter ? await pidOf(docker, containerId) : undefined;
  if (pid !== undefined) return serveDoor(await listenInside([networkOf(pid)], 0), onConnection);
  return openRelay({ docker, containerId, image: await relayImage(), labels }, onConnection);
}
