import type { SandboxLimits } from "@tracemill/core/ports/sandbox.ts";
import type Docker from "dockerode";
import { callEngine, engineWords, hasStatus } from "./engine.ts";
import type { EnvironmentImage } from "./images.ts";
import { type LayerMount, readOnlyMounts } from "./layer-volumes.ts";

/** The name of every sandbox's machine. */
const hostName = "sandbox";

/**
 * First process of a container: only waits, and buries orphans. It is a shell, which nothing inside can kill; what it
 * waits for is started anew when somebody ends it. Where there is no `sleep` at all it gives up. Without a network the
 * engine leaves `/etc/hosts` empty, and names of the loopback are wanted there too.
 */
const idle = `[ -s /etc/hosts ] || echo '127.0.0.1 localhost ${hostName}
::1 localhost ip6-localhost ip6-loopback' > /etc/hosts
while :; do sleep 2147483647 & wait $!; [ $? = 127 ] && exit 127; done`;

export interface ContainerOptions {
  docker: Docker;
  image: Pick<EnvironmentImage, "id">;
  limits: SandboxLimits & { fileBytes: number };
  /** `none`: a loopback; `host`: the engine's bridge; else the id of the container whose network it joins. */
  network: "none" | "host" | { of: string };
  labels: Readonly<Record<string, string>>;
  layers?: readonly LayerMount[];
  /** Whether the engine's storage can hold a container to `limits.diskBytes` itself. */
  hasQuota: boolean;
  signal?: AbortSignal | undefined;
}

/** Creates and starts a container. @throws TracemillError `sandbox-failed`. */
export async function startContainer(options: ContainerOptions): Promise<Docker.Container> {
  const { docker, signal } = options;
  const settings = containerSettings(options);
  const container = await callEngine(
    "creating a container",
    (abortSignal) => docker.createContainer({ ...settings, abortSignal }),
    { signal },
  );
  try {
    await callEngine("starting a container", (abortSignal) => container.start({ abortSignal }), { signal });
    return container;
  } catch (error) {
    await container.remove({ force: true, v: true }).catch(() => undefined);
    throw error;
  }
}

/** What `docker create` is told: the engine's own defaults for capabilities and system calls, and no way to more. */
export function containerSettings({
  image,
  limits: { memoryBytes, pids, cpus, fileBytes, diskBytes },
  network,
  labels,
  layers = [],
  hasQuota,
}: Omit<ContainerOptions, "docker" | "signal">): Docker.ContainerCreateOptions {
  return {
    Image: image.id,
    Entrypoint: ["/bin/sh", "-c", idle],
    Cmd: [],
    User: "0",
    WorkingDir: "/",
    // One that joins a network has the name of its holder.
    ...(typeof network === "string" ? { Hostname: hostName } : {}),
    Labels: { ...labels },
    Healthcheck: { Test: ["NONE"] },
    // A namespace with a loopback all the same, made in half the time that `NetworkMode: none` alone takes to start.
    NetworkDisabled: network === "none",
    HostConfig: {
      NetworkMode: networkMode(network),
      ...(layers.length === 0 ? {} : { Mounts: readOnlyMounts(layers, labels) }),
      SecurityOpt: ["no-new-privileges"],
      IpcMode: "private",
      LogConfig: { Type: "none", Config: {} },
      Ulimits: [
        { Name: "fsize", Soft: fileBytes, Hard: fileBytes },
        { Name: "core", Soft: 0, Hard: 0 },
      ],
      ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
      ...(pids === undefined ? {} : { PidsLimit: pids }),
      ...(cpus === undefined ? {} : { NanoCpus: Math.max(10_000_000, Math.round(cpus * 1e9)) }),
      ...(diskBytes !== undefined && hasQuota ? { StorageOpt: { size: String(diskBytes) } } : {}),
    },
  };
}

function networkMode(network: ContainerOptions["network"]): string {
  if (typeof network !== "string") return `container:${network.of}`;
  return network === "none" ? "none" : "bridge";
}

/** Why a container does not run any more, in words; `undefined` while it does. */
export async function endOfContainer(container: Docker.Container): Promise<string | undefined> {
  try {
    const { State } = await callEngine("looking at a container", (abortSignal) =>
      container.inspect({ abortSignal }),
    );
    if (State.Running && !State.Dead) return undefined;
    if (State.OOMKilled) return "its container used up its memory (`memory_mb`) and was killed";
    return `its container has ended with ${State.ExitCode}${State.Error ? `: ${State.Error}` : ""}`;
  } catch (error) {
    return hasStatus(error, 404) ? "its container is gone" : engineWords(error);
  }
}
