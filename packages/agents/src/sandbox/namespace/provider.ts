import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import type {
  SandboxDescription,
  SandboxLimits,
  SandboxProvider,
  SandboxSpec,
} from "@tracemill/core/ports/sandbox.ts";
import { checkLayers } from "../layers.ts";
import { allOrNone } from "../network.ts";
import { type CgroupHome, findCgroups, removeAbandonedGroups } from "./cgroup.ts";
import { checkNamespaces } from "./doctor.ts";
import { type Environment, Environments, type OpenForBuild } from "./environments.ts";
import { type HostBase, hostBase } from "./host-base.ts";
import { removeAbandoned } from "./janitor.ts";
import type { Launcher } from "./launch.ts";
import { mountPoints } from "./mount-points.ts";
import { networkLayer } from "./network-layer.ts";
import { PipePool } from "./pipes.ts";
import { type NamespaceSandbox, openSandbox } from "./sandbox.ts";
import { isInstalled, toolEnv } from "./tools.ts";

export interface NamespaceOptions {
  /** Where running sandboxes keep their changes. */
  dir: string;
  /** Where built environments are kept from run to run. */
  cacheDir: string;
  /** `auto`: bubblewrap where it is installed, else util-linux's unshare. */
  launcher?: "auto" | Launcher;
  log?: (message: string) => void;
}

/** No single file grows larger than this where the spec does not say, so that one command cannot fill the disk. */
const defaultFileBytes = 8 * 1024 ** 3;

/**
 * Sandboxes of Linux namespaces over this machine's own system: nothing to install, no root needed. How they
 * isolate, what they honour of a Dockerfile and what they do not protect from: `docs/sandboxes.md`.
 */
export function namespaceSandboxes(options: NamespaceOptions): SandboxProvider {
  let opened: Promise<Machine> | undefined;
  const create = async (spec: SandboxSpec): Promise<NamespaceSandbox> => {
    opened ??= openMachine(options);
    const machine = await opened.catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return openWith(machine, spec, await machine.environments.prepare(spec));
  };
  return { name: "namespace", create, doctor: () => checkNamespaces(create), close: async () => undefined };
}

/** What is found out once. */
interface Machine {
  launcher: Launcher;
  dir: string;
  cacheDir: string;
  base: HostBase;
  cgroups: CgroupHome | undefined;
  pipes: PipePool;
  environments: Environments;
}

async function openMachine(options: NamespaceOptions): Promise<Machine> {
  if (process.platform !== "linux") {
    throw new TracemillError(
      "sandbox-unavailable",
      `sandboxes of namespaces need Linux, and this is ${process.platform}; \`tracemill doctor\` says what to do`,
    );
  }
  const dir = resolve(options.dir);
  const cacheDir = resolve(options.cacheDir);
  const building = join(cacheDir, "building");
  for (const folder of [dir, cacheDir, building]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const cgroups = findCgroups();
  if (cgroups !== undefined) await removeAbandonedGroups(cgroups);
  for (const folder of [dir, building]) removeAbandoned(folder);
  const base = hostBase(cacheDir);
  const launcher = chooseLauncher(options.launcher ?? "auto");
  const log = options.log ?? (() => undefined);
  const machine = { launcher, dir, cacheDir, base, cgroups, pipes: new PipePool(dir) };
  const open: OpenForBuild = (layers, { network, limits, signal }) =>
    openWith(
      { ...machine, dir: building },
      { network, limits, ...(signal && { signal }) },
      {
        layers: [...layers],
        hash: "",
        workdir: "/",
        env: {},
        base: "host",
      },
    );
  return { ...machine, environments: new Environments({ base, cacheDir, open, log }) };
}

/** @throws TracemillError `sandbox-unavailable` when the one asked for is not installed. */
export function chooseLauncher(asked: "auto" | Launcher): Launcher {
  const hasBwrap = isInstalled("bwrap");
  if (asked === "auto") return hasBwrap && bwrapWorks() ? "bwrap" : "unshare";
  if (asked === "bwrap" && !hasBwrap) {
    throw new TracemillError(
      "sandbox-unavailable",
      "bwrap is not installed; install the package bubblewrap, or leave the choice of launcher to us",
    );
  }
  return asked;
}

/** An old bubblewrap, or one that the system keeps from its work, is no reason to do without sandboxes. */
function bwrapWorks(): boolean {
  const shape = ["--bind", "/", "/", "--proc", "/proc", "--dev", "/dev"];
  const options = ["--unshare-pid", "--as-pid-1", "--die-with-parent", "--cap-drop", "ALL"];
  return spawnSync("bwrap", [...shape, ...options, "--", "/bin/true"], { env: toolEnv }).status === 0;
}

type OpenSpec = Pick<SandboxSpec, "network" | "limits" | "layers" | "signal">;

async function openWith(
  { launcher, dir, cacheDir, base, cgroups, pipes }: Omit<Machine, "environments">,
  { network: asked, limits, layers: readOnly = [], signal }: OpenSpec,
  { layers: built, hash, workdir, env, base: described }: Environment,
): Promise<NamespaceSandbox> {
  const network = allOrNone(asked);
  checkLayers(readOnly, workdir);
  const below = network === "host" ? [networkLayer(cacheDir), ...built] : built;
  const layers =
    readOnly.length === 0
      ? below
      : [await mountPoints(readOnly, { base, layers: below, cacheDir }), ...below];
  const description: SandboxDescription = {
    sandbox: "namespace",
    base: described,
    isolation: isolationOf(launcher, network, limits, cgroups),
    network,
    environment: hash,
  };
  return openSandbox({
    id: randomBytes(8).toString("hex"),
    dir,
    launcher,
    base,
    layers,
    readOnly,
    network,
    limits: { fileBytes: defaultFileBytes, ...limits },
    cgroups,
    pipes,
    env,
    workdir,
    description,
    ...(signal === undefined ? {} : { signal }),
  });
}

function isolationOf(
  launcher: Launcher,
  network: "none" | "host",
  limits: SandboxLimits,
  cgroups: CgroupHome | undefined,
): string[] {
  const limited = Object.keys(limits).length > 0;
  return [
    ...[launcher, "userns", "mountns", "pidns", "ipcns", "utsns", ...(network === "none" ? ["netns"] : [])],
    ...["pivot_root", "overlay", "no_new_privs", "capabilities"],
    ...(limited ? [cgroups === undefined ? "rlimits" : `cgroup-v${cgroups.version}`] : []),
  ];
}
