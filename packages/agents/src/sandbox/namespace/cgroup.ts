import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { SandboxLimits } from "@tracemill/core/ports/sandbox.ts";
import { isAlive, ownIdentity } from "./process-identity.ts";
import { toolEnv } from "./tools.ts";

/**
 * Control groups, by the kernel's own files: version 2 (one tree) or version 1 (a tree a controller).
 * https://docs.kernel.org/admin-guide/cgroup-v2.html, …/cgroup-v1/
 */
export interface CgroupHome {
  version: 1 | 2;
  /** Folders in which groups are made: one, or one a controller. */
  folders: readonly { controllers: readonly Controller[]; path: string }[];
}

type Controller = "memory" | "pids" | "cpu";
const controllers = ["memory", "pids", "cpu"] as const;

/** The control groups of one sandbox. */
export interface Cgroup {
  /** Files to which a process writes `0` to join. */
  join: readonly string[];
  remove(): Promise<void>;
}

/** Files of the kernel that say where groups may be made. */
export interface CgroupSources {
  mountinfo: string;
  /** `/proc/self/cgroup`. */
  own: string;
}

export function readCgroupSources(): CgroupSources {
  return {
    mountinfo: readFileSync("/proc/self/mountinfo", "utf8"),
    own: readFileSync("/proc/self/cgroup", "utf8"),
  };
}

/**
 * Finds where groups with limits may be made and joined; `undefined` where nowhere. `isUsable` tries a
 * candidate: permissions alone do not tell.
 */
export function findCgroups(
  sources: CgroupSources = readCgroupSources(),
  isUsable: (home: CgroupHome) => boolean = canMakeAndJoin,
): CgroupHome | undefined {
  const mounted = parseMounts(sources.mountinfo);
  const homes = [
    unifiedHome(mounted, sources.own, () => false),
    unifiedHome(mounted, sources.own, enable),
    splitHome(mounted, sources.own),
  ];
  return homes.find((home) => home !== undefined && isUsable(home));
}

interface CgroupMount {
  path: string;
  /** Which part of the tree is mounted there. */
  root: string;
  type: string;
  options: string[];
}

function parseMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [mount = "", rest = ""] = line.split(" - ");
    const [, , , root = "", path = ""] = mount.split(" ");
    const [type = "", , options = ""] = rest.split(" ");
    return type.startsWith("cgroup") ? [{ path, root, type, options: options.split(",") }] : [];
  });
}

/**
 * Version 2: the nearest group above ours (or ours) that hands out memory and processes, or that `enabled`
 * brings to it.
 */
function unifiedHome(
  mounts: readonly CgroupMount[],
  own: string,
  enabled: (folder: string, controller: Controller) => boolean,
): CgroupHome | undefined {
  const mount = mounts.find(({ type }) => type === "cgroup2");
  const path = /^0::(.*)$/m.exec(own)?.[1];
  if (mount === undefined || path === undefined) return undefined;
  let folder = folderOf(mount, path);
  for (;;) {
    const handedOut = readWords(`${folder}/cgroup.subtree_control`);
    const wanted = controllers.filter((name) => handedOut.includes(name) || enabled(folder, name));
    if (wanted.includes("memory") && wanted.includes("pids")) {
      return { version: 2, folders: [{ controllers: wanted, path: folder }] };
    }
    if (folder.length <= mount.path.length) return undefined;
    folder = folder.slice(0, folder.lastIndexOf("/"));
  }
}

function enable(folder: string, controller: Controller): boolean {
  try {
    writeFileSync(`${folder}/cgroup.subtree_control`, `+${controller}`);
    return true;
  } catch {
    return false;
  }
}

/** Version 1: below our own group of each controller. */
function splitHome(mounts: readonly CgroupMount[], own: string): CgroupHome | undefined {
  const byPath = new Map<string, Controller[]>();
  for (const controller of controllers) {
    const mount = mounts.find(({ type, options }) => type === "cgroup" && options.includes(controller));
    const path = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, "m").exec(own)?.[1];
    if (mount === undefined || path === undefined) continue;
    const folder = folderOf(mount, path);
    byPath.set(folder, [...(byPath.get(folder) ?? []), controller]);
  }
  const found = [...byPath.values()].flat();
  if (!found.includes("memory") || !found.includes("pids")) return undefined;
  return { version: 1, folders: [...byPath].map(([path, names]) => ({ controllers: names, path })) };
}

/** A group's folder; with a namespace of groups only a part of the tree is mounted. */
function folderOf(mount: CgroupMount, path: string): string {
  const below = mount.root !== "/" && path.startsWith(mount.root) ? path.slice(mount.root.length) : path;
  const folder = `${mount.path}${below === "/" ? "" : below}`;
  return existsSync(folder) ? folder : mount.path;
}

function readWords(path: string): string[] {
  try {
    return readFileSync(path, "utf8").trim().split(/\s+/);
  } catch {
    return [];
  }
}

function canMakeAndJoin(home: CgroupHome): boolean {
  const name = `${prefix}probe-${process.pid}`;
  try {
    const folders = makeGroup(home, name, { memoryBytes: 64 * 1024 * 1024, pids: 16 });
    const join = 'for group; do echo 0 > "$group/cgroup.procs" || exit 1; done';
    return (
      spawnSync("/bin/sh", ["-c", join, "join", ...folders], { env: toolEnv, stdio: "ignore" }).status === 0
    );
  } catch {
    return false;
  } finally {
    removeFolders(home, name);
  }
}

/** Makes the groups of a sandbox with its limits. Their name tells whose they are. */
export function createCgroup(home: CgroupHome, id: string, limits: SandboxLimits): Cgroup {
  const name = `${prefix}${ownIdentity().replace(" ", ".")}-${id}`;
  const folders = makeGroup(home, name, limits);
  return {
    join: folders.map((folder) => `${folder}/cgroup.procs`),
    remove: () => removeGroup(home, name),
  };
}

const prefix = "tracemill-";

/** Removes the groups of processes that are gone. */
export async function removeAbandonedGroups(home: CgroupHome): Promise<void> {
  for (const { path } of home.folders) {
    for (const name of readdirSync(path)) {
      const owner = name.startsWith(prefix) ? /^(\d+)\.(\d+)-/.exec(name.slice(prefix.length)) : null;
      if (owner !== null && !isAlive(`${owner[1]} ${owner[2]}`)) await removeGroup(home, name);
    }
  }
}

function makeGroup(home: CgroupHome, name: string, limits: SandboxLimits): string[] {
  return home.folders.map((folder) => {
    const path = `${folder.path}/${name}`;
    mkdirSync(path, { recursive: true });
    for (const [file, value] of settings(home.version, folder.controllers, limits)) {
      writeFileSync(`${path}/${file}`, value);
    }
    return path;
  });
}

/** CPU time is dealt out in periods of 100 ms, the kernel's default. */
const periodUs = 100_000;

function settings(
  version: 1 | 2,
  present: readonly Controller[],
  { memoryBytes, pids, cpus }: SandboxLimits,
): [file: string, value: string][] {
  const found: [string, string][] = [];
  if (memoryBytes !== undefined && present.includes("memory")) {
    found.push([version === 2 ? "memory.max" : "memory.limit_in_bytes", String(memoryBytes)]);
    if (version === 2) found.push(["memory.swap.max", "0"]);
  }
  if (pids !== undefined && present.includes("pids")) found.push(["pids.max", String(pids)]);
  if (cpus !== undefined && present.includes("cpu")) {
    const quota = String(Math.max(1_000, Math.round(cpus * periodUs)));
    if (version === 2) found.push(["cpu.max", `${quota} ${periodUs}`]);
    else found.push(["cpu.cfs_period_us", String(periodUs)], ["cpu.cfs_quota_us", quota]);
  }
  return found.filter(([file]) => file !== "memory.swap.max" || hasSwapAccounting());
}

/** The swap file of a group is there only when the machine has swap accounting. */
function hasSwapAccounting(): boolean {
  return !/^Swap(Total):\s+0 kB$/m.test(readFileSync("/proc/meminfo", "utf8"));
}

/** The kernel frees a group a moment after its last process. */
async function removeGroup(home: CgroupHome, name: string): Promise<void> {
  for (let waitMs = 1; waitMs < 500; waitMs *= 2) {
    if (removeFolders(home, name)) return;
    await sleep(waitMs);
  }
}

function removeFolders(home: CgroupHome, name: string): boolean {
  const left = home.folders.filter(({ path }) => {
    try {
      rmdirSync(`${path}/${name}`);
      return false;
    } catch (error) {
      return !(error instanceof Error && "code" in error && error.code === "ENOENT");
    }
  });
  return left.length === 0;
}
