import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  type Stats,
  statfsSync,
  unlinkSync,
} from "node:fs";
import { TracemillError } from "@tracemill/core/errors.ts";

/**
 * Folders and files by open descriptor, one path component at a time and never through a symbolic link. What a
 * process in the sandbox does to its folders meanwhile cannot lead such an access out of the sandbox.
 *
 * `/proc/self/fd/N/name` is what openat(2) is elsewhere: the kernel starts at the open folder itself. A folder
 * is opened with O_PATH, which asks for no permission on it.
 */
export type Folder = number;

/** Names as the file system has them: any bytes but `/` and NUL. */
export type Name = string | Buffer;

const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** Most symbolic links that one path may pass, as in the kernel. */
const mostLinks = 40;

export function pathIn(folder: Folder, name: Name): string | Buffer {
  const prefix = `/proc/self/fd/${folder}/`;
  return typeof name === "string" ? prefix + name : Buffer.concat([Buffer.from(prefix), name]);
}

/** Opens a trusted path. */
export function openRoot(path: string): Folder {
  return openSync(path, O_PATH | O_DIRECTORY);
}

export function closeFolder(folder: Folder): void {
  closeSync(folder);
}

/** Opens a folder in a folder; `undefined` when there is none of that name or it is something else. */
export function openFolder(parent: Folder, name: Name): Folder | undefined {
  try {
    return openSync(pathIn(parent, name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (isCode(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

export function statIn(folder: Folder, name: Name): Stats | undefined {
  return lstatSync(pathIn(folder, name), { throwIfNoEntry: false });
}

/** A link's target; `undefined` for those of `/proc` that lead nowhere for us. */
export function linkIn(folder: Folder, name: Name): string | undefined {
  try {
    return readlinkSync(pathIn(folder, name));
  } catch (error) {
    if (isCode(error, "ENOENT", "EACCES", "EINVAL")) return undefined;
    throw error;
  }
}

/**
 * Opens a regular file for reading; `undefined` for anything else. A device is not even opened, which may be an act: a
 * process in a sandbox could put one in the place of a file that was looked at before.
 */
export function openFile(folder: Folder, name: Name): number | undefined {
  const pinned = openSync(pathIn(folder, name), O_PATH | O_NOFOLLOW);
  try {
    const stats = fstatSync(pinned);
    return stats.isFile() ? openPinned(`/proc/self/fd/${pinned}`, stats.mode & 0o7777) : undefined;
  } finally {
    closeSync(pinned);
  }
}

/** The sandbox's root may read what its owner on the host, without root's powers, may not. */
function openPinned(path: string, mode: number): number {
  try {
    return openSync(path, O_RDONLY | O_NONBLOCK);
  } catch (error) {
    if (!isCode(error, "EACCES")) throw error;
  }
  chmodSync(path, mode | 0o400);
  try {
    return openSync(path, O_RDONLY | O_NONBLOCK);
  } finally {
    chmodSync(path, mode);
  }
}

/** Of `/proc` and `/sys`: https://man7.org/linux/man-pages/man2/statfs.2.html */
const kernelTypes = [0x9fa0, 0x62656572];

/** Whether what a folder shows is the kernel's answer to who asks: with our powers, not with those of a sandbox. */
export function isOfKernel(folder: Folder): boolean {
  return kernelTypes.includes(statfsSync(`/proc/self/fd/${folder}`).type);
}

/** Names of one folder that are held in memory: some 300 MB of them. */
const mostNames = 3_000_000;

/** The names in a folder, sorted by bytes. @throws TracemillError `sandbox-failed` when there are more than `most`. */
export function namesIn(folder: Folder, most = mostNames): Buffer[] {
  const names: Buffer[] = [];
  using open = openListing(folder);
  for (let entry = open.readSync(); entry !== null; entry = open.readSync()) {
    if (names.length === most)
      throw new TracemillError("sandbox-failed", `a folder of the sandbox holds more than ${most} files`);
    names.push(entry.name);
  }
  return names.sort(Buffer.compare);
}

/** The types of Node leave out that names come as bytes when that is asked for. */
interface Listing extends Disposable {
  readSync(): { name: Buffer } | null;
}

function openListing(folder: Folder): Listing {
  const path = `/proc/self/fd/${folder}`;
  const open = () => opendirSync(path, { encoding: "buffer" as BufferEncoding, bufferSize: 512 });
  try {
    return open() as unknown as Listing;
  } catch (error) {
    if (!isCode(error, "EACCES")) throw error;
    chmodSync(path, 0o700);
    return open() as unknown as Listing;
  }
}

function listed(folder: Folder): Buffer[] {
  const path = `/proc/self/fd/${folder}`;
  try {
    return readdirSync(path, { encoding: "buffer" });
  } catch (error) {
    if (!isCode(error, "EACCES")) throw error;
    chmodSync(path, 0o700);
    return readdirSync(path, { encoding: "buffer" });
  }
}

/** Removes a file, or a folder with everything in it; silent when absent. */
export function removeTree(parent: Folder, name: Name): void {
  const stats = statIn(parent, name);
  if (stats === undefined) return;
  if (stats.isDirectory()) {
    const folder = openFolder(parent, name);
    if (folder !== undefined) {
      try {
        for (const child of listed(folder)) removeTree(folder, child);
      } finally {
        closeSync(folder);
      }
      rmdirSync(pathIn(parent, name));
      return;
    }
  }
  unlinkSync(pathIn(parent, name));
}

export interface Walk {
  /** Make folders that are missing on the way, with mode 0755. */
  create?: boolean;
  /** What to do at a symbolic link on the way: follow it below the root, or stop with ELOOP. */
  links: "follow" | "refuse";
}

/**
 * Finds the folder that holds `path`'s last component. `..` and absolute links stay below the root.
 * @returns the folder, to be closed by the caller, and the last component (`.` for the root itself);
 * `undefined` when a folder on the way is missing.
 * @throws the system's error: ENOTDIR for a file on the way, ELOOP for links that are refused or too many.
 */
export function openParent(
  root: Folder,
  path: string,
  walk: Walk,
): { parent: Folder; name: string } | undefined {
  using walker = new Walker(root, walk);
  const todo = partsOf(path);
  for (let links = 0; links <= mostLinks; ) {
    const part = todo.shift();
    if (part !== ".." && (part === undefined || todo.length === 0)) {
      return { parent: walker.take(), name: part ?? "." };
    }
    const next = walker.step(part);
    if (next === "missing") return undefined;
    if (next === "entered") continue;
    links += 1;
    todo.unshift(...partsOf(next.target));
  }
  throw systemError("ELOOP", path);
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** The folders open between the root and where a walk is. */
class Walker implements Disposable {
  readonly #open: Folder[];
  readonly #walk: Walk;

  constructor(root: Folder, walk: Walk) {
    this.#open = [openSync(`/proc/self/fd/${root}`, O_PATH | O_DIRECTORY)];
    this.#walk = walk;
  }

  /** Goes one component on. At a link it stays, or returns to the root for an absolute one. */
  step(name: string): "entered" | "missing" | { target: string } {
    if (name === "..") {
      if (this.#open.length > 1) this.#leave(this.#open.length - 1);
      return "entered";
    }
    const folder = openFolder(this.#at, name);
    if (folder !== undefined) {
      this.#open.push(folder);
      return "entered";
    }
    const stats = statIn(this.#at, name);
    if (stats === undefined) return this.#create(name);
    if (!stats.isSymbolicLink()) throw systemError("ENOTDIR", name);
    if (this.#walk.links === "refuse") throw systemError("ELOOP", name);
    const target = linkIn(this.#at, name);
    if (target === undefined) return "missing";
    if (target.startsWith("/")) this.#leave(1);
    return { target };
  }

  /** Hands over the folder reached; the walk is over then. */
  take(): Folder {
    const folder = this.#at;
    this.#open.pop();
    return folder;
  }

  [Symbol.dispose](): void {
    this.#leave(0);
  }

  get #at(): Folder {
    const folder = this.#open.at(-1);
    if (folder === undefined) throw new Error("the walk is over");
    return folder;
  }

  #create(name: string): "entered" | "missing" {
    if (this.#walk.create !== true) return "missing";
    mkdirSync(pathIn(this.#at, name), 0o755);
    const folder = openFolder(this.#at, name);
    if (folder === undefined) throw systemError("ENOTDIR", name);
    this.#open.push(folder);
    return "entered";
  }

  /** Closes all folders but the first `depth`. */
  #leave(depth: number): void {
    for (const folder of this.#open.splice(depth)) closeSync(folder);
  }
}

function systemError(code: "ELOOP" | "ENOTDIR", path: string): Error {
  const problem = code === "ELOOP" ? "leads through a symbolic link" : "is not a folder";
  return Object.assign(new Error(`${path} ${problem}`), { code });
}

/** Whether a system call failed with one of these codes. */
export function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
