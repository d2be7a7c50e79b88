import { TracemillError } from "@tracemill/core/errors.ts";
import { collect } from "@tracemill/core/streams.ts";
import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";
import { fileEntry } from "./build-context.ts";

/** What laying down a workspace needs of a container. */
export interface ApplyDeps {
  /** The kind of what is at an absolute path now; a link is not followed. */
  kindOf(path: string): Promise<"file" | "directory" | "symlink" | "other" | undefined>;
  unpack(entries: Iterable<LayerEntry> | AsyncIterable<LayerEntry>): Promise<void>;
  /** Deletes what is at these absolute paths. */
  remove(paths: readonly string[]): Promise<void>;
  /** Empties folders, by absolute path, but for the names that are kept. */
  empty(folders: readonly { path: string; kept: readonly string[] }[]): Promise<void>;
}

/** What is unpacked at once. A larger file goes by itself, as a stream. */
const batchBytes = 32 * 1024 * 1024;
const batchEntries = 5_000;

/** The engine's own, and what running containers keep there: no part of a workspace. */
const systemFolders = /^(proc|sys|dev)(\/|$)/;

type Place = "folder" | "other" | "absent";

/**
 * Lays a workspace over a container's file system.
 * @throws TracemillError `invalid-archive` for an entry that leads through a symbolic link or a file.
 */
export async function applyWorkspaceIn(deps: ApplyDeps, entries: AsyncIterable<LayerEntry>): Promise<void> {
  const work = new Applying(deps);
  for await (const entry of entries) if (!systemFolders.test(entry.path)) await work.add(entry);
  await work.flush();
}

class Applying {
  readonly #deps: ApplyDeps;
  /** What this workspace has put in place so far: its own deletions do not touch it. */
  readonly #made = new Set<string>();
  /** What is known to be at a path, once all that is waiting is done. */
  readonly #known = new Map<string, Place>([["", "folder"]]);
  #entries: LayerEntry[] = [];
  #bytes = 0;
  #deleted: string[] = [];
  #emptied: { path: string; kept: string[] }[] = [];

  constructor(deps: ApplyDeps) {
    this.#deps = deps;
  }

  async add(entry: LayerEntry): Promise<void> {
    const { path } = entry;
    const creates = entry.type !== "whiteout" && entry.type !== "opaque";
    const found = await this.#way(path, creates);
    if (entry.type === "whiteout") {
      if (found && !this.#made.has(path)) this.#delete(path);
    } else if (entry.type === "opaque") await this.#empty(path);
    else await this.#put(entry);
  }

  async flush(): Promise<void> {
    if (this.#deleted.length > 0) await this.#deps.remove(this.#deleted.splice(0));
    if (this.#emptied.length > 0) await this.#deps.empty(this.#emptied.splice(0));
    const entries = this.#entries.splice(0);
    this.#bytes = 0;
    if (entries.length > 0) await this.#deps.unpack(entries);
  }

  /**
   * Makes sure that all folders above a path are folders, making what is missing where `creates`.
   * @returns whether they are there.
   */
  async #way(path: string, creates: boolean): Promise<boolean> {
    const parts = path.split("/").slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const folder = parts.slice(0, depth).join("/");
      const place = await this.#placeOf(folder);
      if (place === "other") throw astray(path);
      if (place === "absent") {
        if (!creates) return false;
        await this.#put({ type: "directory", path: folder, mode: 0o755 });
      }
    }
    return true;
  }

  async #placeOf(path: string): Promise<Place> {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    // Below what was deleted, or made anew, there is nothing but what was put there.
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (this.#isNew(parent)) return this.#remember(path, "absent");
    const kind = await this.#deps.kindOf(`/${path}`);
    return this.#remember(path, kind === undefined ? "absent" : kind === "directory" ? "folder" : "other");
  }

  /** Folders that came into being here, whose content is known therefore. */
  readonly #new = new Set<string>();

  #isNew(folder: string): boolean {
    for (let at = folder; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf("/"))))
      if (this.#new.has(at)) return true;
    return false;
  }

  #remember(path: string, place: Place): Place {
    this.#known.set(path, place);
    return place;
  }

  async #put(entry: Exclude<LayerEntry, { type: "whiteout" | "opaque" }>): Promise<void> {
    const { path, type } = entry;
    if (path === "") {
      if (type === "directory") this.#entries.push({ ...entry, path: "." });
      return;
    }
    const isFolder = type === "directory";
    if (!isFolder || (await this.#placeOf(path)) !== "folder") {
      this.#forgetBelow(path);
      if (isFolder) this.#new.add(path);
    }
    this.#remember(path, isFolder ? "folder" : "other");
    this.#made.add(path);
    if (type === "file") await this.#putFile(entry);
    else this.#entries.push(entry);
    if (this.#bytes >= batchBytes || this.#entries.length >= batchEntries) await this.flush();
  }

  async #putFile(entry: Extract<LayerEntry, { type: "file" }>): Promise<void> {
    if (entry.size > batchBytes) {
      await this.flush();
      await this.#deps.unpack([entry]);
      return;
    }
    this.#entries.push(fileEntry({ ...entry, content: await collect(entry.body) }));
    this.#bytes += entry.size;
  }

  #delete(path: string): void {
    this.#forgetBelow(path);
    this.#remember(path, "absent");
    this.#deleted.push(`/${path}`);
  }

  /** A deletion is done before what is made in the same batch, so that what was made in an earlier one is named. */
  async #empty(path: string): Promise<void> {
    if (path === "")
      throw new TracemillError("invalid-archive", "workspace: it would empty the whole sandbox");
    if ((await this.#placeOf(path)) !== "folder") return;
    const prefix = `${path}/`;
    const below = [...this.#made].filter((made) => made.startsWith(prefix));
    const kept = [...new Set(below.map((made) => made.slice(prefix.length).split("/", 1)[0] ?? ""))];
    this.#emptied.push({ path: `/${path}`, kept });
    for (const known of [...this.#known.keys()])
      if (known.startsWith(prefix) && !this.#made.has(known)) this.#known.delete(known);
    this.#new.add(path);
  }

  #forgetBelow(path: string): void {
    const prefix = `${path}/`;
    for (const known of [...this.#known.keys()]) if (known.startsWith(prefix)) this.#known.delete(known);
    for (const folder of [...this.#new])
      if (folder === path || folder.startsWith(prefix)) this.#new.delete(folder);
  }
}

function astray(path: string): TracemillError {
  return new TracemillError(
    "invalid-archive",
    `workspace: \`${path}\` lies below a link or a file: it would land elsewhere`,
  );
}
