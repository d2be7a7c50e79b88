import { closeSync, constants, fchmodSync, mkdirSync, openSync, symlinkSync, writeSync } from "node:fs";
import { TracemillError } from "@tracemill/core/errors.ts";
import { closeFolder, type Folder, openFolder, pathIn, removeTree } from "../namespace/open-folder.ts";
import type { Box } from "./box.ts";
import { quoted } from "./script.ts";
import { inVolume } from "./volume.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** Of Linux. */
const maxNameBytes = 255;

/** So many names a command. */
const names = 100;

/** Files of one folder of the box, on their way there. */
interface Group {
  /** Where the box sees them. */
  from: string;
  to: string;
  folder: Folder;
  names: Set<string>;
}

/**
 * Files on their way into a box: laid down in its volume, and copied from there by a script of which this class
 * writes the copying. Each folder of ours was opened when it was made, so that nothing leads elsewhere.
 */
export class Staging implements Disposable {
  readonly #volume: Folder;
  readonly #name: string;
  readonly #own: Folder;
  readonly #lines: string[] = [];
  #group: Group | undefined;
  #groups = 0;
  bytes = 0;
  entries = 0;

  constructor({ volume }: Pick<Box, "volume">, name: string) {
    this.#volume = volume;
    this.#name = name;
    this.#own = newFolder(volume, name);
  }

  /** Adds a line to the script, after what was added before. */
  say(line: string): void {
    this.#flush();
    this.#lines.push(line);
  }

  /** Adds a line to be run before `name` is copied to `to`, and after all that has to come before that. */
  prepare(to: string, name: string, line: string): void {
    this.#flushUnless(to, name);
    this.#lines.push(line);
  }

  /** A file for `to`, a folder of the box, written as its content comes. */
  async addFile(
    to: string,
    name: string,
    { content, mode }: { content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>; mode: number },
  ): Promise<void> {
    const file = createFile(this.#place(to, name), name);
    try {
      for await (const chunk of content) {
        inVolume(() => writeAll(file, chunk));
        this.bytes += chunk.byteLength;
      }
      inVolume(() => fchmodSync(file, mode));
    } finally {
      closeSync(file);
    }
  }

  addLink(to: string, name: string, target: string): void {
    const folder = this.#place(to, name);
    inVolume(() => symlinkSync(target, pathIn(folder, name)));
  }

  /** All of it, to be run in the box. */
  script(): string {
    this.#flush();
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  [Symbol.dispose](): void {
    this.#leave();
    closeFolder(this.#own);
    try {
      removeTree(this.#volume, this.#name);
    } catch {
      // Something in the box has changed it; its own disk is its own affair.
    }
  }

  #place(to: string, name: string): Folder {
    this.#flushUnless(to, name);
    this.#group ??= this.#newGroup(to);
    this.#group.names.add(name);
    this.entries += 1;
    return this.#group.folder;
  }

  #flushUnless(to: string, name: string): void {
    if (this.#group?.to !== to || this.#group.names.has(name)) this.#flush();
  }

  #newGroup(to: string): Group {
    const name = String(this.#groups);
    this.#groups += 1;
    const from = `/tracemill/${this.#name}/${name}`;
    return { from, to, folder: newFolder(this.#own, name), names: new Set() };
  }

  #flush(): void {
    if (this.#group === undefined) return;
    const { from, to, names: all } = this.#group;
    const sources = [...all].map((name) => quoted(`${from}/${name}`));
    for (let at = 0; at < sources.length; at += names) {
      const some = sources.slice(at, at + names).join(" ");
      this.#lines.push(`cp -pP -- ${some} ${quoted(`${to}/`)} || exit 1`);
    }
    this.#leave();
  }

  #leave(): void {
    if (this.#group !== undefined) closeFolder(this.#group.folder);
    this.#group = undefined;
  }
}

function createFile(folder: Folder, name: string): number {
  if (Buffer.byteLength(name) > maxNameBytes)
    throw new TracemillError(
      "invalid-input",
      `${name.slice(0, 40)}…: a name of more than ${maxNameBytes} bytes`,
    );
  return inVolume(() => openSync(pathIn(folder, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
}

function newFolder(parent: Folder, name: string): Folder {
  return inVolume(() => {
    mkdirSync(pathIn(parent, name), 0o755);
    const folder = openFolder(parent, name);
    if (folder !== undefined) return folder;
    throw new TracemillError("sandbox-failed", "something in the box takes away the files brought to it");
  });
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at);
}
