import { TracemillError } from "@tracemill/core/errors.ts";
import Docker from "dockerode";
import { callEngine, engineWords } from "./engine.ts";

/** The engine that `DOCKER_HOST` names, or the one at the usual socket. Nothing is asked of it yet. */
export function localEngine(): Docker {
  return new Docker();
}

/** What is worth knowing of an engine, once. */
export interface EngineFacts {
  version: string;
  /** Of the engine's host: 1 or 2. */
  cgroups: string;
  storage: string;
  /** Of the engine's machine: `x86_64`, `aarch64`. */
  architecture: string;
  /** Whether the storage driver can hold a container to a size by itself. */
  hasQuota: boolean;
  /** Whether a container's changes are the whole upper folder of an overlay, and nothing that hides in attributes. */
  hasPlainOverlays: boolean;
  /** Whether it filters system calls. */
  hasSeccomp: boolean;
}

/** Storage drivers that limit a container's size on any file system. overlay2 needs XFS with project quotas for that. */
const quotaDrivers = new Set(["btrfs", "zfs", "devicemapper"]);

/**
 * Asks the engine whether it is there.
 * @throws TracemillError `sandbox-unavailable` with what to do.
 */
export async function connect(docker: Docker, ms = 10_000): Promise<EngineFacts> {
  try {
    const info = (await callEngine("asking Docker's engine", () => docker.info(), { ms })) as Info;
    if (info.OSType !== undefined && info.OSType !== "linux")
      throw new Error(`its containers are those of ${info.OSType}; switch it to Linux containers`);
    return {
      version: info.ServerVersion ?? "?",
      cgroups: info.CgroupVersion ?? "1",
      storage: info.Driver ?? "?",
      architecture: info.Architecture ?? "?",
      hasQuota: quotaDrivers.has(info.Driver ?? ""),
      hasPlainOverlays: info.Driver === "overlay2" && hasNativeDiff(info.DriverStatus ?? []),
      hasSeccomp: (info.SecurityOptions ?? []).some((option) => option.includes("seccomp")),
    };
  } catch (error) {
    throw new TracemillError(
      "sandbox-unavailable",
      `\`sandbox: docker\` needs a Docker engine, and none can be used: ${engineWords(error)}; start one (\`dockerd\`, Docker Desktop), let this user reach it, or say \`sandbox: namespace\``,
      { cause: error },
    );
  }
}

function hasNativeDiff(status: readonly (readonly string[])[]): boolean {
  return status.some(([name, value]) => name === "Native Overlay Diff" && value === "true");
}

interface Info {
  OSType?: string;
  ServerVersion?: string;
  CgroupVersion?: string;
  Driver?: string;
  Architecture?: string;
  DriverStatus?: string[][] | null;
  SecurityOptions?: string[] | null;
}

/** Whether an engine answers at once. */
export async function answers(docker: Docker, ms = 1_000): Promise<boolean> {
  try {
    await callEngine("asking Docker's engine", () => docker.ping(), { ms });
    return true;
  } catch {
    return false;
  }
}
