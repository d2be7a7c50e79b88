import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxFile } from "@tracemill/core/ports/sandbox.ts";
import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";
import {
  closeFolder,
  type Folder,
  isCode,
  isOfKernel,
  linkIn,
  type Name,
  namesIn,
  openFile,
  openFolder,
  openParent,
  pathIn,
  removeTree,
  statIn,
  type Walk,
} from "./open-folder.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const mostLinks = 40;

/** Writes a file, making its folders. What was there of that name is replaced, never written through. */
export function writeFileIn(root: Folder, { path, content, mode = 0o644 }: SandboxFile): void {
  assertAbsolute(path);
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  named(path, () =>
    inParent(root, path, { links: "follow", create: true }, (parent, name) => {
      if (name === "." || statIn(parent, name)?.isDirectory() === true) {
        throw new TracemillError("invalid-input", `${path} is a folder; a file cannot be written there`);
      }
      const file = createFile(parent, name);
      try {
        writeAll(file, bytes);
        fchmodSync(file, mode);
      } finally {
        closeSync(file);
      }
    }),
  );
}

/**
 * Reads a regular file, following links below the root.
 * @throws TracemillError `invalid-input` for anything else, and for more than `maxBytes`.
 */
export function readFileIn(root: Folder, path: string, maxBytes: number): Buffer | undefined {
  assertAbsolute(path);
  let current = path;
  for (let links = 0; links <= mostLinks; links += 1) {
    const found = named(path, () =>
      inParent(root, current, { links: "follow" }, (parent, name) =>
        readOrLink(parent, name, path, maxBytes),
      ),
    );
    if (found === undefined || Buffer.isBuffer(found)) return found;
    current = found.link.startsWith("/")
      ? found.link
      : `${current.slice(0, current.lastIndexOf("/"))}/${found.link}`;
  }
  throw new TracemillError("invalid-input", `${path}: too many symbolic links`);
}

function readOrLink(
  parent: Folder,
  name: string,
  path: string,
  maxBytes: number,
): Buffer | { link: string } | undefined {
  const stats = statIn(parent, name);
  if (stats === undefined) return undefined;
  if (stats.isSymbolicLink()) {
    const link = linkIn(parent, name);
    return link === undefined ? undefined : { link };
  }
  if (!stats.isFile() || isOfKernel(parent)) {
    const kind = stats.isDirectory() ? "a folder" : "no regular file";
    throw new TracemillError("invalid-input", `${path} is ${kind}`);
  }
  const file = openFile(parent, name);
  if (file === undefined) throw new TracemillError("invalid-input", `${path} is no regular file`);
  try {
    return readAtMost(file, path, maxBytes);
  } finally {
    closeSync(file);
  }
}

function readAtMost(file: number, path: string, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const wanted = Math.min(Math.max(fstatSync(file).size - size, 4096), 1024 * 1024);
    const chunk = Buffer.allocUnsafe(wanted);
    const read = readSync(file, chunk);
    if (read === 0) return Buffer.concat(chunks);
    size += read;
    if (size > maxBytes)
      throw new TracemillError("invalid-input", `${path} is larger than ${maxBytes} bytes`);
    chunks.push(chunk.subarray(0, read));
  }
}

/** Removes files or whole folders; silent when absent. */
export function removeIn(root: Folder, paths: readonly string[]): void {
  for (const path of paths) {
    assertAbsolute(path);
    named(path, () =>
      inParent(root, path, { links: "follow" }, (parent, name) => {
        if (name !== "." && name !== "..") removeTree(parent, name);
      }),
    );
  }
}

/** Folders that the sandbox itself mounts; a workspace never changes them. */
const systemFolders = /^(proc|sys|dev)(\/|$)/;

/**
 * Lays a workspace over the tree.
 * @throws TracemillError `invalid-archive` for an entry that leads through a symbolic link.
 */
export async function applyIn(root: Folder, entries: AsyncIterable<LayerEntry>): Promise<void> {
  const made = new Set<string>();
  for await (const entry of entries) {
    if (systemFolders.test(entry.path)) continue;
    try {
      await applyEntry(root, entry, made);
    } catch (error) {
      if (error instanceof TracemillError) throw error;
      if (isCode(error, "ELOOP", "ENOTDIR")) {
        throw new TracemillError(
          "invalid-archive",
          `workspace: \`${entry.path}\` lies below a link or a file: it would land elsewhere`,
          { cause: error },
        );
      }
      throw fileError(`/${entry.path}`, error);
    }
    if (entry.type !== "whiteout" && entry.type !== "opaque") made.add(entry.path);
  }
}

async function applyEntry(root: Folder, entry: LayerEntry, made: ReadonlySet<string>): Promise<void> {
  const walk: Walk = { links: "refuse", create: entry.type !== "whiteout" && entry.type !== "opaque" };
  const place = openParent(root, entry.path, walk);
  if (place === undefined) return;
  const { parent, name } = place;
  try {
    switch (entry.type) {
      case "file":
        return await applyFile(parent, name, entry);
      case "directory":
        return applyFolder(parent, name, entry.mode);
      case "symlink":
        removeTree(parent, name);
        return symlinkSync(entry.target, pathIn(parent, name));
      case "whiteout":
        return made.has(entry.path) ? undefined : removeTree(parent, name);
      case "opaque":
        return applyOpaque(parent, name, entry.path, made);
    }
  } finally {
    closeFolder(parent);
  }
}

async function applyFile(
  parent: Folder,
  name: string,
  { body, mode }: Extract<LayerEntry, { type: "file" }>,
): Promise<void> {
  removeTree(parent, name);
  const file = createFile(parent, name);
  try {
    for await (const chunk of body) writeAll(file, chunk);
    fchmodSync(file, mode);
  } finally {
    closeSync(file);
  }
}

function applyFolder(parent: Folder, name: string, mode: number): void {
  if (name !== "." && statIn(parent, name)?.isDirectory() !== true) {
    removeTree(parent, name);
    mkdirSync(pathIn(parent, name));
  }
  const folder = name === "." ? undefined : openFolder(parent, name);
  if (folder === undefined) return;
  try {
    chmodSync(`/proc/self/fd/${folder}`, mode);
  } finally {
    closeFolder(folder);
  }
}

/** Empties a folder but for what this workspace has put there. */
function applyOpaque(parent: Folder, name: string, path: string, made: ReadonlySet<string>): void {
  if (path === "") throw new TracemillError("invalid-archive", "workspace: it would empty the whole sandbox");
  const folder = openFolder(parent, name);
  if (folder === undefined) return;
  try {
    const names = namesIn(folder);
    const old = names.filter((child) => !made.has(`${path}/${child.toString("utf8")}`));
    if (old.length === names.length && replaceFolder(parent, name, folder)) return;
    for (const child of old) removeTree(folder, child);
  } finally {
    closeFolder(folder);
  }
}

/** A new folder hides all at once what the environment has in the old one. A mount cannot be replaced. */
function replaceFolder(parent: Folder, name: string, folder: Folder): boolean {
  const { mode } = fstatSync(folder);
  try {
    removeTree(parent, name);
  } catch (error) {
    if (isCode(error, "EBUSY")) return false;
    throw error;
  }
  applyFolder(parent, name, mode & 0o7777);
  return true;
}

/** Removes what is there and makes a new file; a process that races for the name loses or is replaced again. */
function createFile(parent: Folder, name: Name): number {
  for (let tries = 1; ; tries += 1) {
    try {
      if (tries > 1 || statIn(parent, name) !== undefined) unlinkSync(pathIn(parent, name));
      return openSync(pathIn(parent, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    } catch (error) {
      if (tries === 10 || !isCode(error, "EEXIST", "ENOENT")) throw error;
    }
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at);
}

function inParent<T>(
  root: Folder,
  path: string,
  walk: Walk,
  use: (parent: Folder, name: string) => T,
): T | undefined {
  const place = openParent(root, path, walk);
  if (place === undefined) return undefined;
  try {
    return use(place.parent, place.name);
  } finally {
    closeFolder(place.parent);
  }
}

function assertAbsolute(path: string): void {
  if (path.startsWith("/") && !path.includes("\0")) return;
  throw new TracemillError("invalid-input", `${JSON.stringify(path)}: give an absolute path in the sandbox`);
}

function named<T>(path: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    if (error instanceof TracemillError) throw error;
    throw fileError(path, error);
  }
}

/** What the path is to blame for: mounts and the kernel's own files (`/etc/hosts`, `/proc/…`) among others. */
const unusablePath = [
  ...["ENOTDIR", "ELOOP", "ENAMETOOLONG", "EISDIR"],
  ...["EPERM", "EACCES", "EROFS", "EBUSY", "EINVAL"],
];

function fileError(path: string, error: unknown): TracemillError {
  if (isCode(error, ...unusablePath)) {
    return new TracemillError("invalid-input", `${path}: ${messageOf(error)}`, { cause: error });
  }
  if (isCode(error, "ENOSPC", "EDQUOT")) {
    const advice = "the disk of the sandboxes is full: make room, or choose another directory";
    return new TracemillError("storage-full", `${path}: ${advice}`, { cause: error });
  }
  return new TracemillError("sandbox-failed", `${path}: ${messageOf(error)}`, { cause: error });
}
