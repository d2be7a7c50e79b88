import { closeSync, fstatSync, read, readlinkSync, readSync, type Stats } from "node:fs";
import { promisify } from "node:util";
import { isReservedName, type LayerEntry } from "@tracemill/core/workspace/layer.ts";
import { isWhiteout, type LowerTree, type OpaqueFolders } from "./lower-view.ts";
import {
  closeFolder,
  type Folder,
  namesIn,
  openFile,
  openFolder,
  openParent,
  pathIn,
  statIn,
} from "./open-folder.ts";

const readAsync = promisify(read);

/** What is needed to tell what a sandbox changed. */
export interface ChangedTree {
  /** The upper folders of the overlays, by mount. */
  upper: Folder;
  /** The root as commands in the sandbox see it. */
  merged: Folder;
  lower: LowerTree;
}

/** Plumbing: mounts of the sandbox and what lives only while it runs. */
const notKept = new Set(["proc", "sys", "dev", "run"]);

interface Place {
  path: string;
  /** The folder in the upper layer; absent where only mounts below it may have changes. */
  folder: Folder | undefined;
}

/**
 * Everything that differs from the environment, sorted by path component. Read by open descriptors, so that a
 * process that still runs in the sandbox cannot lead the reading elsewhere. Sockets, FIFOs and files whose
 * names are no UTF-8 or begin with `.wh.` are left out.
 */
export async function* changesOf(tree: ChangedTree, exclude: readonly string[]): AsyncGenerator<LayerEntry> {
  const root = openUpper(tree, "");
  try {
    yield* inFolder(tree, { path: "", folder: root }, excluded(exclude));
  } finally {
    if (root !== undefined) closeFolder(root);
  }
}

/** The opaque folders among the changes, by mount, for a layer made of them. */
export async function opaqueFolders(tree: ChangedTree): Promise<OpaqueFolders> {
  const found: Record<string, string[]> = {};
  for await (const entry of changesOf(tree, [])) {
    if (entry.type !== "opaque") continue;
    const { name, inside } = tree.lower.locate(entry.path);
    found[name] = [...(found[name] ?? []), inside];
  }
  return found;
}

function excluded(prefixes: readonly string[]): (path: string) => boolean {
  const clean = prefixes.map((prefix) => prefix.replaceAll(/^\/+|\/+$/g, ""));
  return (path) => clean.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
}

type Excludes = (path: string) => boolean;

async function* inFolder(
  tree: ChangedTree,
  { path, folder }: Place,
  skip: Excludes,
): AsyncGenerator<LayerEntry> {
  const names = folder === undefined ? [] : namesIn(folder).flatMap(utf8Name);
  const all = [...new Set([...names, ...tree.lower.mountsIn(path)])].sort(byBytes);
  for (const name of all) {
    const child = path === "" ? name : `${path}/${name}`;
    if (skip(child) || (path === "" && notKept.has(name))) continue;
    if (tree.lower.isMount(child) || (folder !== undefined && statIn(folder, name) === undefined)) {
      yield* atMount(tree, child, folder, name, skip);
    } else if (folder === undefined) yield* atMount(tree, child, undefined, name, skip);
    else yield* atName(tree, folder, name, child, skip);
  }
}

/** A mount, or a folder on the way to one. */
async function* atMount(
  tree: ChangedTree,
  path: string,
  parent: Folder | undefined,
  name: string,
  skip: Excludes,
): AsyncGenerator<LayerEntry> {
  const own = tree.lower.isMount(path) ? openUpper(tree, path) : parent && openFolder(parent, name);
  try {
    const mode = (own === undefined ? (await tree.lower.stat(path))?.mode : fstatSync(own).mode) ?? 0o755;
    yield* withFolder(
      { type: "directory", path, mode: mode & 0o7777 },
      inFolder(tree, { path, folder: own }, skip),
    );
  } finally {
    if (own !== undefined) closeFolder(own);
  }
}

function openUpper({ upper, lower }: ChangedTree, path: string): Folder | undefined {
  return openFolder(upper, lower.locate(path).name);
}

/** A folder's entry comes before its first change; without changes inside it is not told. */
async function* withFolder(entry: LayerEntry, inside: AsyncIterable<LayerEntry>): AsyncGenerator<LayerEntry> {
  let told = false;
  for await (const change of inside) {
    if (!told) yield entry;
    told = true;
    yield change;
  }
}

async function* atName(
  tree: ChangedTree,
  parent: Folder,
  name: string,
  path: string,
  skip: Excludes,
): AsyncGenerator<LayerEntry> {
  const stats = statIn(parent, name);
  if (stats === undefined) return;
  if (isWhiteout(stats)) yield { type: "whiteout", path };
  else if (isReservedName(name)) return;
  else if (stats.isSymbolicLink())
    yield { type: "symlink", path, target: readlinkSync(pathIn(parent, name)) };
  else if (stats.isFile()) yield* fileAt(parent, name, path);
  else if (stats.isDirectory()) yield* folderAt(tree, parent, name, path, skip);
}

async function* folderAt(
  tree: ChangedTree,
  parent: Folder,
  name: string,
  path: string,
  skip: Excludes,
): AsyncGenerator<LayerEntry> {
  const folder = openFolder(parent, name);
  if (folder === undefined) return;
  try {
    const { mode } = fstatSync(folder);
    const entry: LayerEntry = { type: "directory", path, mode: mode & 0o7777 };
    const before = await tree.lower.stat(path);
    const inside = inFolder(tree, { path, folder }, skip);
    if (before?.isDirectory() === true) {
      const hides = await isOpaque(tree, folder, path);
      const changed = hides || (before.mode & 0o7777) !== entry.mode;
      if (changed) yield entry;
      if (hides) yield { type: "opaque", path };
      yield* changed ? inside : withFolder(entry, inside);
    } else {
      // Something else was there: say that it is gone before its name is used again.
      if (before !== undefined) yield { type: "whiteout", path };
      yield entry;
      yield* inside;
    }
  } finally {
    closeFolder(folder);
  }
}

/**
 * Whether a changed folder hides what the environment has in it. Overlay keeps that in an attribute; it shows
 * all the same: something below is neither changed nor visible.
 */
async function isOpaque(tree: ChangedTree, folder: Folder, path: string): Promise<boolean> {
  const unchanged = await tree.lower.childBeside(path, (name) => statIn(folder, name) !== undefined);
  return unchanged !== undefined && !isVisible(tree.merged, `${path}/${unchanged}`);
}

/** In doubt (a process has just put something else on the way) it is. */
function isVisible(merged: Folder, path: string): boolean {
  let place: ReturnType<typeof openParent>;
  try {
    place = openParent(merged, path, { links: "refuse" });
  } catch {
    return true;
  }
  if (place === undefined) return false;
  try {
    return statIn(place.parent, place.name) !== undefined;
  } finally {
    closeFolder(place.parent);
  }
}

/** Small files are read at once; that is cheaper than going through the thread pool. */
const smallBytes = 256 * 1024;

async function* fileAt(parent: Folder, name: string, path: string): AsyncGenerator<LayerEntry> {
  const file = openFile(parent, name);
  if (file === undefined) return;
  try {
    const stats = fstatSync(file);
    yield { type: "file", path, mode: stats.mode & 0o7777, size: stats.size, body: contentOf(file, stats) };
  } finally {
    closeSync(file);
  }
}

/** Exactly as many bytes as the entry says, whatever a process does to the file meanwhile. */
async function* contentOf(file: number, { size }: Stats): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; ) {
    const chunk = Buffer.alloc(Math.min(size - at, smallBytes));
    const count =
      size <= smallBytes
        ? readSync(file, chunk, 0, chunk.length, at)
        : (await readAsync(file, chunk, 0, chunk.length, at)).bytesRead;
    at += count === 0 ? chunk.length : count;
    yield count === 0 ? chunk : chunk.subarray(0, count);
  }
}

function utf8Name(name: Buffer): string[] {
  const text = name.toString("utf8");
  return Buffer.from(text).equals(name) ? [text] : [];
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
