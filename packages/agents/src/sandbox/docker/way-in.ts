import { readFileSync } from "node:fs";
import { TracemillError } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { isInstalled } from "../namespace/tools.ts";
import { callEngine } from "./engine.ts";

/** Why this process cannot enter the network of a container, in words; `undefined` where it may be able to. */
export function ownEngineMissing(docker: Docker): string | undefined {
  if (process.platform !== "linux") return `this is ${process.platform}`;
  if (process.geteuid?.() !== 0) return "this process is not root";
  if (!hasSocket(docker.modem)) return "the engine is reached over the network";
  return isInstalled("nsenter") ? undefined : "nsenter is not installed (Debian: util-linux)";
}

/** The types of docker-modem leave out where it connects to: a path, or, for the usual socket, what finds it. */
function hasSocket(modem: object): boolean {
  return "socketPath" in modem && ["string", "function"].includes(typeof modem.socketPath);
}

/**
 * The container's first process, as this machine numbers it; `undefined` when it is no process of this machine (Docker
 * Desktop, or Tracemill inside a container).
 * @throws TracemillError `sandbox-failed` when it has ended.
 */
export async function pidOf(docker: Docker, containerId: string): Promise<number | undefined> {
  const { State, Id } = await callEngine("looking at a container", () =>
    docker.getContainer(containerId).inspect(),
  );
  if (!State.Running) {
    throw new TracemillError("sandbox-failed", "the sandbox's container has ended", { retryable: true });
  }
  return isProcessOf(State.Pid, Id) ? State.Pid : undefined;
}

/** The engine's numbers are ours only when it runs on this machine, and not in a container of its own. */
export function isProcessOf(pid: number, containerId: string): boolean {
  try {
    // Names the container, with control groups of either version.
    return readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(containerId);
  } catch {
    return false;
  }
}

/** Its network, as an option of nsenter. */
export function networkOf(pid: number): string {
  return `--net=/proc/${pid}/ns/net`;
}
