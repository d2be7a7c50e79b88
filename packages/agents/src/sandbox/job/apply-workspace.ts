import { TracemillError } from "@tracemill/core/errors.ts";
import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";
import type { Box } from "./box.ts";
import { notListed } from "./list-script.ts";
import { failed, runOwn } from "./own-script.ts";
import { quoted } from "./script.ts";
import { Staging } from "./staging.ts";

/** What is brought into the box at once, so that its volume needs little room. */
const batchBytes = 64 * 1024 * 1024;
const batchEntries = 1_000;

/** Modes are set for so many folders at once. */
const foldersAtOnce = 100;

/** Exit code of a script that met a link or a file on the way to an entry; it prints the entry's number. */
const refusedCode = 9;

const functions = `
# Is $2 a folder? Entry $1 must not go through anything else.
is() {
  if [ -L "$2" ]; then echo "$1"; exit ${refusedCode}; fi
  if [ -d "$2" ]; then return 0; fi
  if [ -e "$2" ]; then echo "$1"; exit ${refusedCode}; fi
  return 1
}
on() { is "$1" "$2" || mkdir -- "$2" || exit 1; }
off() { if [ -e "$1" ] || [ -L "$1" ]; then rm -rf -- "$1" || exit 1; fi; }
folder() { if [ -L "$1" ] || [ ! -d "$1" ]; then off "$1"; mkdir -- "$1" || exit 1; fi; }
# Empties $1 but for the other names.
empty() {
  if [ -L "$1" ] || [ ! -d "$1" ]; then return; fi
  from=$1
  shift
  for path in "$from"/* "$from"/.[!.]* "$from"/..?*; do
    for name; do if [ "$path" = "$from/$name" ]; then continue 2; fi; done
    off "$path"
  done
}
`;

/**
 * Lays a workspace over the box's file system, in the order of its entries.
 * @throws TracemillError `invalid-archive` for an entry that leads through a symbolic link or a file.
 */
export async function applyWorkspaceIn(
  box: Box,
  entries: AsyncIterable<LayerEntry>,
  nextName: () => string,
): Promise<void> {
  const made = new Made();
  let batch = new Batch(box, nextName(), made);
  try {
    for await (const entry of entries) {
      if (notListed.includes(entry.path.split("/", 1)[0] ?? "") && entry.path !== "run") continue;
      await batch.add(entry);
      if (!batch.isFull) continue;
      await batch.run();
      batch[Symbol.dispose]();
      batch = new Batch(box, nextName(), made);
    }
    await batch.run();
  } finally {
    batch[Symbol.dispose]();
  }
}

/** What this workspace has put in place so far: its own deletions do not touch it. */
class Made {
  readonly #paths = new Set<string>();
  /** Folders known to be folders. */
  readonly #folders = new Set<string>();

  has(path: string): boolean {
    return this.#paths.has(path);
  }

  add({ type, path }: LayerEntry): void {
    if (type !== "directory") this.#forgetBelow(path);
    if (type !== "whiteout" && type !== "opaque") this.#paths.add(path);
  }

  /** @returns whether the folder has to be looked at. */
  visit(folder: string): boolean {
    if (this.#folders.has(folder)) return false;
    this.#folders.add(folder);
    return true;
  }

  isVisited(folder: string): boolean {
    return this.#folders.has(folder);
  }

  inFolder(folder: string): string[] {
    const prefix = `${folder}/`;
    const below = [...this.#paths].filter((path) => path.startsWith(prefix));
    return [...new Set(below.map((path) => path.slice(prefix.length).split("/", 1)[0] ?? ""))];
  }

  #forgetBelow(path: string): void {
    if (!this.#folders.has(path)) return;
    for (const folder of this.#folders)
      if (folder === path || folder.startsWith(`${path}/`)) this.#folders.delete(folder);
  }
}

class Batch implements Disposable {
  readonly #box: Box;
  readonly #staging: Staging;
  readonly #made: Made;
  readonly #paths: string[] = [];
  readonly #modes = new Map<string, number>();

  constructor(box: Box, name: string, made: Made) {
    this.#box = box;
    this.#staging = new Staging(box, name);
    this.#made = made;
  }

  get isFull(): boolean {
    return this.#paths.length >= batchEntries || this.#staging.bytes >= batchBytes;
  }

  async add(entry: LayerEntry): Promise<void> {
    const { path } = entry;
    const number = this.#paths.push(path) - 1;
    const folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    const name = path.slice(folder === "" ? 0 : folder.length + 1);
    switch (entry.type) {
      case "file":
        this.#clear(number, folder, name);
        await this.#staging.addFile(absolute(folder), name, { content: entry.body, mode: entry.mode });
        break;
      case "symlink":
        this.#clear(number, folder, name);
        this.#staging.addLink(absolute(folder), name, entry.target);
        break;
      case "directory":
        this.#addFolder(number, path, entry.mode);
        break;
      case "whiteout":
        if (!this.#made.has(path)) this.#delete(number, folder, `off ${quoted(`/${path}`)}`);
        break;
      case "opaque":
        this.#addOpaque(number, path);
    }
    this.#made.add(entry);
  }

  async run(): Promise<void> {
    this.#setModes();
    const script = this.#staging.script();
    if (script === "") return;
    const { exitCode, stdout, stderr } = await runOwn(this.#box, functions + script);
    if (exitCode === 0) return;
    const path = /^\d{1,6}\n$/.test(stdout) ? this.#paths[Number(stdout)] : undefined;
    if (exitCode !== refusedCode || path === undefined)
      throw failed("laying down the workspace", exitCode, stderr);
    throw new TracemillError(
      "invalid-archive",
      `workspace: \`${path}\` lies below a link or a file: it would land elsewhere`,
    );
  }

  [Symbol.dispose](): void {
    this.#staging[Symbol.dispose]();
  }

  /** Makes room for a file or link, and the way to it. */
  #clear(number: number, folder: string, name: string): void {
    this.#way(number, folder);
    const to = absolute(folder);
    this.#staging.prepare(to, name, `off ${quoted(`${to}/${name}`)}`);
  }

  #way(number: number, folder: string): void {
    for (const part of foldersTo(folder))
      if (this.#made.visit(part)) this.#staging.say(`on ${number} ${quoted(`/${part}`)}`);
  }

  #addFolder(number: number, path: string, mode: number): void {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    this.#way(number, folder);
    if (path !== "") this.#staging.say(`folder ${quoted(`/${path}`)}`);
    this.#made.visit(path);
    this.#modes.set(path, mode);
  }

  /** At the end, when nothing more is put into the folders. One that was replaced since is left alone. */
  #setModes(): void {
    const standing = [...this.#modes].filter(([path]) => this.#made.isVisited(path));
    for (const [mode, folders] of Map.groupBy(standing, ([, mode]) => mode)) {
      for (let at = 0; at < folders.length; at += foldersAtOnce) {
        const some = folders.slice(at, at + foldersAtOnce).map(([path]) => quoted(`/${path}`));
        this.#staging.say(`chmod ${mode.toString(8).padStart(4, "0")} ${some.join(" ")} || exit 1`);
      }
    }
  }

  /** Nothing is deleted where the way to it is missing. */
  #delete(number: number, folder: string, line: string): void {
    const unseen = foldersTo(folder).filter((part) => !this.#made.isVisited(part));
    const way = unseen.map((part) => `is ${number} ${quoted(`/${part}`)} && `).join("");
    this.#staging.say(`${way}${line}`);
  }

  #addOpaque(number: number, path: string): void {
    if (path === "")
      throw new TracemillError("invalid-archive", "workspace: it would empty the whole sandbox");
    const kept = this.#made.inFolder(path).map(quoted);
    const folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    this.#delete(number, folder, ["empty", quoted(`/${path}`), ...kept].join(" "));
  }
}

function absolute(folder: string): string {
  return folder === "" ? "" : `/${folder}`;
}

/** The folder itself and all above it, outermost first. */
function foldersTo(folder: string): string[] {
  const parts = folder === "" ? [] : folder.split("/");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}
