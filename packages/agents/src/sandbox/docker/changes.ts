import { type LayerEntry, plainEntry } from "@tracemill/core/workspace/layer.ts";
import type Docker from "dockerode";
import { type Archive, entriesOf, openArchive, type PathStat, statPath } from "./archive.ts";
import type { BaseView } from "./base-view.ts";
import { type ChangedPath, changedPaths, keeper } from "./changed-paths.ts";

export interface ChangesOptions {
  container: Docker.Container;
  base: BaseView;
  /** Absolute path prefixes to leave out. */
  exclude: readonly string[];
}

/**
 * Everything that differs from the environment, by what the engine says and its archives: folders that are new as one
 * archive each, other files one by one. Sockets, FIFOs and devices are left out; hard links become copies.
 * @throws TracemillError `sandbox-failed` when the engine fails, or lists more than can be held.
 */
export async function* changesOf(options: ChangesOptions): AsyncGenerator<LayerEntry> {
  const { container, exclude } = options;
  const changes = await changedPaths(container, exclude);
  const told = new Folders();
  for (const change of rootsOf(changes)) {
    for await (const entry of entriesAt(change, options)) {
      if (entry.type === "directory" && "quiet" in entry) {
        told.hold(entry.path, entry.mode);
        continue;
      }
      yield* told.before(entry.path);
      yield entry;
    }
  }
}

/** Without what lies in a folder that is new itself: that comes with it. */
function* rootsOf(changes: readonly ChangedPath[]): Generator<ChangedPath> {
  let root: string | undefined;
  for (const change of changes) {
    if (root !== undefined && change.path.startsWith(`${root}/`)) continue;
    root = change.kind === "added" ? change.path : undefined;
    yield change;
  }
}

/** A folder that is only on the way is told when something in it is. */
type QuietFolder = { type: "directory"; path: string; mode: number; quiet: true };

class Folders {
  #held: { path: string; mode: number }[] = [];

  hold(path: string, mode: number): void {
    this.#held = this.#held.filter((folder) => path.startsWith(`${folder.path}/`));
    this.#held.push({ path, mode });
  }

  *before(path: string): Generator<LayerEntry> {
    for (const folder of this.#held) {
      if (path.startsWith(`${folder.path}/`)) yield { type: "directory", ...folder };
    }
    this.#held = [];
  }
}

async function* entriesAt(
  { path, kind }: ChangedPath,
  options: ChangesOptions,
): AsyncGenerator<LayerEntry | QuietFolder> {
  if (kind === "deleted") {
    yield { type: "whiteout", path };
    return;
  }
  const now = await statPath(options.container, `/${path}`);
  // It has gone since it was listed, or is nothing that a layer can hold.
  if (now === undefined || now.kind === "other") return;
  if (kind === "changed" && now.kind === "directory") yield* changedFolder(path, now, options);
  else yield* archived(path, options);
}

async function* changedFolder(
  path: string,
  now: PathStat,
  { base }: ChangesOptions,
): AsyncGenerator<LayerEntry | QuietFolder> {
  const before = await base.stat(`/${path}`);
  const folder = { type: "directory", path, mode: now.mode } as const;
  if (before?.kind === "directory" && before.mode === now.mode) {
    yield { ...folder, quiet: true };
    return;
  }
  // Something else was there: say that it is gone before its name is used again.
  if (before !== undefined && before.kind !== "directory") yield { type: "whiteout", path };
  yield folder;
}

async function* archived(path: string, options: ChangesOptions): AsyncGenerator<LayerEntry> {
  const archive = await openArchive(options.container, `/${path}`);
  if (archive === undefined) return;
  const parent = path.slice(0, path.lastIndexOf("/") + 1);
  const isKept = keeper(options.exclude);
  for await (const { header, body } of entriesOf(archive.tar)) {
    const at = parent + header.name.replace(/\/$/, "");
    if (!isKept(at)) continue;
    if (header.type === "link") yield* copyOf(at, options);
    else {
      const entry = plainEntry(at, header, body);
      if (entry !== undefined) yield entry;
    }
  }
}

/** A hard link's content is that of another entry: it is asked for by itself. */
async function* copyOf(path: string, { container }: ChangesOptions): AsyncGenerator<LayerEntry> {
  const archive: Archive | undefined = await openArchive(container, `/${path}`);
  if (archive === undefined) return;
  for await (const { header, body } of entriesOf(archive.tar)) {
    const entry = plainEntry(path, header, body);
    if (entry !== undefined) yield entry;
    return;
  }
}
