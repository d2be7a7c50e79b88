import { posix } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxFile, SandboxLayer } from "@tracemill/core/ports/sandbox.ts";
import { type LayerEntry, readLayer } from "@tracemill/core/workspace/layer.ts";

/** What verification and the system have for themselves. */
const taken = ["/logs", "/tests", "/solution", "/proc", "/sys", "/dev", "/run", "/tmp"];

/** A layer whose place and name were checked. Only its place counts for files of a sandbox. */
export type LaidIn = Pick<SandboxLayer, "path">;

/**
 * Refuses layers that could not be laid in: names and paths of another form, places that belong to the task or the
 * system, two layers at or below one place.
 * @throws TracemillError `invalid-input`.
 */
export function checkLayers(layers: readonly SandboxLayer[], workdir: string): void {
  for (const [index, { id, dir, path }] of layers.entries()) {
    if (!/^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$/.test(id))
      throw refused(path, `its id ${JSON.stringify(id)} has more than letters, digits, dots and dashes`);
    if (!posix.isAbsolute(dir)) throw refused(path, `its folder ${dir} is no absolute path`);
    if (!/^(\/[A-Za-z0-9_][A-Za-z0-9_.@+-]*){2,}$/.test(path))
      throw refused(path, "give an absolute path of at least two plain names, such as /opt/tracemill/codex");
    // An image whose working directory is the root has no folder of its own for the task.
    const others = [
      ...taken,
      ...(workdir === "/" ? [] : [workdir]),
      ...layers.slice(0, index).map((other) => other.path),
    ];
    const meets = others.find((other) => isWithin(path, other) || isWithin(other, path));
    if (meets !== undefined) throw refused(path, `${meets} belongs to something else`);
  }
}

function refused(path: string, why: string): TracemillError {
  return new TracemillError("invalid-input", `a layer at ${JSON.stringify(path)}: ${why}`);
}

/** Whether a path is a folder itself, or below it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

/**
 * Refuses to write or delete in a layer, or to delete what holds one.
 * @param paths absolute, inside the sandbox.
 * @throws TracemillError `invalid-input`.
 */
export function assertOutside(layers: readonly LaidIn[], paths: Iterable<string>): void {
  if (layers.length === 0) return;
  for (const path of paths) {
    const plain = posix.normalize(path);
    const layer = layers.find((each) => isWithin(plain, each.path) || isWithin(each.path, plain));
    if (layer !== undefined)
      throw new TracemillError("invalid-input", `${path}: ${layer.path} is a layer, which is never written`);
  }
}

/** Files to be written, none of which lies in a layer. @throws TracemillError `invalid-input`. */
export async function* filesOutside(
  files: Iterable<SandboxFile> | AsyncIterable<SandboxFile>,
  layers: readonly LaidIn[],
): AsyncGenerator<SandboxFile> {
  for await (const file of files) {
    assertOutside(layers, [file.path]);
    yield file;
  }
}

/**
 * Entries of a workspace without those that lie in a layer.
 * @throws TracemillError `invalid-archive` for an entry that would put something else where a layer's parent is, or
 * empty or delete it.
 */
export async function* workspaceEntries(
  tar: AsyncIterable<Uint8Array>,
  layers: readonly LaidIn[],
): AsyncGenerator<LayerEntry> {
  for await (const entry of readLayer(tar)) {
    const path = `/${entry.path}`;
    if (layers.some((layer) => isWithin(path, layer.path))) continue;
    const below = layers.find((layer) => isWithin(layer.path, path));
    if (below !== undefined && entry.type !== "directory")
      throw new TracemillError(
        "invalid-archive",
        `workspace: \`${entry.path}\` holds the layer ${below.path}, and would be replaced`,
      );
    yield entry;
  }
}

interface PlaceStat {
  mode: number;
  isDirectory(): boolean;
}

/** What an environment has at a path without the slash at its start; links are not followed. */
export type StatPlace = (path: string) => PlaceStat | undefined | Promise<PlaceStat | undefined>;

/**
 * Refuses places where the environment has something, or that a link or a file of it leads elsewhere.
 * @throws TracemillError `invalid-input`.
 */
export async function assertFree(layers: readonly LaidIn[], stat: StatPlace): Promise<void> {
  for (const { path } of layers) {
    const names = path.slice(1).split("/");
    for (let depth = 1; depth <= names.length; depth += 1) {
      const at = names.slice(0, depth).join("/");
      const found = await stat(at);
      if (found === undefined) break;
      if (depth === names.length || !found.isDirectory())
        throw refused(path, `the environment has something else at /${at}; choose another place`);
    }
  }
}

/**
 * Changes without those that were made to lay the layers in: their places, and the folders on the way there, unless
 * these hold something else or were changed themselves.
 */
export async function* changesOutside(
  changes: AsyncIterable<LayerEntry>,
  layers: readonly LaidIn[],
  stat: StatPlace,
): AsyncGenerator<LayerEntry> {
  let held: LayerEntry[] = [];
  for await (const entry of changes) {
    const path = `/${entry.path}`;
    held = held.filter((folder) => isWithin(path, `/${folder.path}`));
    if (layers.some((layer) => isWithin(path, layer.path))) continue;
    if (await isWay(entry, layers, stat)) {
      held.push(entry);
      continue;
    }
    yield* held;
    held = [];
    yield entry;
  }
}

/** Whether an entry tells of nothing but a folder on the way to a layer. */
async function isWay(entry: LayerEntry, layers: readonly LaidIn[], stat: StatPlace): Promise<boolean> {
  if (entry.type !== "directory" || !layers.some((layer) => isWithin(layer.path, `/${entry.path}`)))
    return false;
  const before = await stat(entry.path);
  return before === undefined || (before.isDirectory() && (before.mode & 0o7777) === entry.mode);
}
