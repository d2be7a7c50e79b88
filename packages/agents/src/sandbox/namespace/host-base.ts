import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/**
 * What every sandbox starts from: this machine's own system folders, read-only, under a root of our making.
 * `/etc` is a copy of what anybody may read, so keys and password hashes are not in it; `/root`, `/home` and
 * `/var` begin empty.
 */
export interface HostBase {
  /** Hash of what it was made from. */
  key: string;
  /** As `/etc/os-release` names it. */
  system: string;
  /** The root's lowest layer. */
  root: string;
  /** Where the tools run that enter a sandbox: see `mounts.ts`. */
  trusted: string;
  empty: string;
  /** An empty folder: where a sandbox's tree is put together, each in its own mount namespace. */
  at: string;
  mounts: readonly BaseMount[];
}

/** A folder of the host that a sandbox sees under its own changes. */
export interface BaseMount {
  /** Absolute path, the same inside and outside. */
  path: string;
  /** Name of its folder in a layer. */
  name: string;
  /** Folders below the layers, top first: the owned skeleton if there is one, then the host's. */
  lower: readonly string[];
  /** Permission bits of the folder itself. */
  mode: number;
}

/** Counts up when the base is made differently, so that old ones are not used again. */
const version = 1;

const systemFolders = ["usr", "opt", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix"];

/** Ownership below this depth stays the host's for a user that is not root: a whole `/usr` would be 70 MB of folders. */
const skeletonDepth = 4;

/** Finds or makes the base in `cacheDir`. */
export function hostBase(cacheDir: string): HostBase {
  const etc = readableTree("/etc");
  const system = systemName();
  const asRoot = process.geteuid?.() === 0;
  const key = baseKey(etc, system, asRoot);
  const dir = join(cacheDir, "base", key);
  if (!existsSync(dir)) {
    const building = `${dir}.${process.pid}`;
    rmSync(building, { recursive: true, force: true });
    buildBase(building, etc, asRoot);
    publish(building, dir);
  }
  const at = (name: string) => join(dir, name);
  return {
    key,
    system,
    root: at("root"),
    trusted: at("trusted"),
    empty: at("empty"),
    at: at("at"),
    mounts: baseMounts(dir, asRoot),
  };
}

/** Whoever is first wins; the other's copy says the same. */
function publish(building: string, dir: string): void {
  try {
    renameSync(building, dir);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    if (!existsSync(dir)) throw error;
  }
}

interface ReadableEntry {
  path: string;
  kind: "folder" | "file" | "link";
  mode: number;
  uid: number;
  gid: number;
  /** Size and time of last change, or a link's target. */
  stamp: string;
}

/** Settings of the host that are nobody's business inside. */
const notCopied =
  /^\/etc\/(environment|machine-id|mtab|hostname|hosts|resolv\.conf|netrc|fstab|crypttab|apt\/auth\.conf(\.d)?|docker|kubernetes|wireguard|letsencrypt|cloud|ssh)(\/|$)/;

/** Everything below `folder` that any user may read. */
function readableTree(folder: string): ReadableEntry[] {
  return readdirSync(folder)
    .toSorted()
    .flatMap((name) => {
      const path = `${folder}/${name}`;
      const entry = notCopied.test(path) ? undefined : readableEntry(path);
      if (entry === undefined) return [];
      return entry.kind === "folder" ? [entry, ...readableTree(path)] : [entry];
    });
}

function readableEntry(path: string): ReadableEntry | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const { mode, uid, gid } = stats;
  const common = { path, mode: mode & 0o1777, uid, gid };
  if (stats.isSymbolicLink()) return { ...common, kind: "link", stamp: readlinkSync(path) };
  if (stats.isDirectory() && (mode & 0o005) === 0o005) return { ...common, kind: "folder", stamp: "" };
  if (!stats.isFile() || (mode & 0o004) === 0) return undefined;
  return { ...common, kind: "file", stamp: `${stats.size} ${stats.mtimeMs}` };
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  } catch {
    return "Linux";
  }
}

function baseKey(etc: readonly ReadableEntry[], system: string, asRoot: boolean): string {
  const packages = statSync("/var/lib/dpkg/status", { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const folders = presentFolders().map((path) => [path, statSync(path).mtimeMs]);
  const parts = [version, system, asRoot ? "root" : process.geteuid?.(), packages, folders, etc];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

function presentFolders(): string[] {
  const folders = systemFolders.map((name) => `/${name}`);
  const present = folders.filter(
    (path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  );
  return existsSync("/var/lib/dpkg") ? [...present, "/var/lib/dpkg"] : present;
}

function baseMounts(dir: string, asRoot: boolean): BaseMount[] {
  return presentFolders().map((path) => {
    const name = path.slice(1).replaceAll("/", "-");
    const lower = asRoot ? [path] : [join(dir, "owned", name), path];
    return { path, name, lower, mode: statSync(path).mode & 0o7777 };
  });
}

const folders = [
  ...["app", "boot", "dev/pts", "dev/shm", "etc", "home", "logs/agent", "logs/artifacts", "logs/verifier"],
  ...["media", "mnt", "proc", "run/lock", "srv", "sys"],
  ...[
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial",
    "var/log",
    "var/mail",
    "var/opt",
    "var/spool",
  ],
];
const devices = ["null", "zero", "full", "random", "urandom", "tty"];
const links = [
  ["dev/fd", "/proc/self/fd"],
  ["dev/stdin", "/proc/self/fd/0"],
  ["dev/stdout", "/proc/self/fd/1"],
  ["dev/stderr", "/proc/self/fd/2"],
  ["dev/ptmx", "pts/ptmx"],
  ["var/run", "/run"],
  ["var/lock", "/run/lock"],
  ["etc/mtab", "/proc/self/mounts"],
] as const;
const texts = [
  ["etc/hostname", "sandbox\n"],
  ["etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"],
  ["etc/resolv.conf", ""],
  ["etc/machine-id", ""],
] as const;

function buildBase(dir: string, etc: readonly ReadableEntry[], asRoot: boolean): void {
  const root = join(dir, "root");
  for (const name of [...folders, ...presentFolders()]) makeFolder(join(root, name), 0o755);
  makeFolder(join(root, "root"), 0o700);
  for (const name of ["tmp", "var/tmp"]) makeFolder(join(root, name), 0o1777);
  for (const name of devices) writeFileSync(join(root, "dev", name), "");
  copyReadable(root, etc, asRoot);
  for (const [name, target] of [...links, ...topLinks()]) symlinkSync(target, join(root, name));
  for (const [name, text] of texts) writeFileSync(join(root, name), text);
  for (const name of ["usr", "sb", "old", "net"]) makeFolder(join(dir, "trusted", name), 0o755);
  for (const [name, target] of topLinks()) symlinkSync(target, join(dir, "trusted", name));
  for (const path of presentFolders()) makeFolder(join(dir, "trusted", path), 0o755);
  symlinkSync("sb/proc", join(dir, "trusted", "proc"));
  for (const name of ["empty", "at"]) makeFolder(join(dir, name), 0o755);
  if (!asRoot)
    for (const path of presentFolders())
      copySkeleton(path, join(dir, "owned", path.slice(1).replaceAll("/", "-")));
}

/** `/bin -> usr/bin` and its like. */
function topLinks(): [string, string][] {
  const isLink = (name: string) =>
    lstatSync(`/${name}`, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return systemFolders.filter(isLink).map((name) => [name, readlinkSync(`/${name}`)]);
}

function makeFolder(path: string, mode: number): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
}

function copyReadable(root: string, entries: readonly ReadableEntry[], asRoot: boolean): void {
  for (const { path, kind, mode, uid, gid, stamp } of entries) {
    const target = join(root, path);
    if (kind === "link") symlinkSync(stamp, target);
    else {
      if (kind === "folder") mkdirSync(target);
      else copyFileSync(path, target);
      if (asRoot) chownSync(target, uid, gid);
      chmodSync(target, mode);
    }
  }
}

/** The same folders, owned by us: overlay takes a merged folder's owner from its topmost layer. */
function copySkeleton(source: string, target: string, depth = 0): void {
  mkdirSync(target, { recursive: true });
  const deep = source.startsWith("/usr/local") || source.includes("/python");
  if (depth >= skeletonDepth && !deep) return;
  let entries: ReturnType<typeof readFolder>;
  try {
    entries = readFolder(source);
  } catch {
    return;
  }
  for (const entry of entries) {
    if (entry.isDirectory()) copySkeleton(`${source}/${entry.name}`, join(target, entry.name), depth + 1);
  }
}

function readFolder(path: string) {
  return readdirSync(path, { withFileTypes: true });
}
