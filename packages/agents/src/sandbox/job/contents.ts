import { TracemillError } from "@tracemill/core/errors.ts";
import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";
import type { Box } from "./box.ts";
import type { Change } from "./changes.ts";
import { outputOf } from "./own-script.ts";
import { quoted } from "./script.ts";

/** Files whose content comes from one process of the box. */
const batchFiles = 256;

/** No box's disk holds more: a workspace that claims to is a lie. */
const maxWorkspaceBytes = 256 * 1024 ** 3;

/**
 * Changes with their content, for a layer. Nothing may change the files meanwhile: sizes are those of the listing.
 * @throws TracemillError `sandbox-failed`.
 */
export async function* layerEntries(
  box: Box,
  changes: readonly Change[],
  maxFileBytes: number,
): AsyncGenerator<LayerEntry> {
  const files = changes.flatMap((change) => (change.type === "file" ? [sized(change)] : []));
  assertPlausible(files, maxFileBytes);
  const contents = new FileContents(
    box,
    files.filter(({ size }) => size > 0),
  );
  try {
    for (const change of changes) {
      if (change.type === "whiteout") yield change;
      else yield* entryOf(change, contents);
    }
  } finally {
    await contents.close();
  }
}

interface SizedFile {
  path: string;
  size: number;
}

function sized({ path, entry: { size } }: Extract<Change, { type: "file" | "directory" | "symlink" }>) {
  return { path, size };
}

function assertPlausible(files: readonly SizedFile[], maxFileBytes: number): void {
  let total = 0;
  for (const { path, size } of files) {
    total += size;
    if (size > maxFileBytes || total > maxWorkspaceBytes) {
      const limit = size > maxFileBytes ? maxFileBytes : maxWorkspaceBytes;
      throw new TracemillError(
        "sandbox-failed",
        `the workspace is too large: /${path} goes over ${limit} bytes`,
      );
    }
  }
}

function* entryOf(
  { type, path, entry: { mode, size, target } }: Exclude<Change, { type: "whiteout" }>,
  contents: FileContents,
): Generator<LayerEntry> {
  if (type === "directory") yield { type, path, mode };
  else if (type === "file") yield { type, path, mode, size, body: contents.next(path, size) };
  else if (target !== undefined) yield { type, path, target: Buffer.from(target, "latin1").toString("utf8") };
}

/** Contents of files one after another, a batch of them from each process. */
class FileContents {
  readonly #box: Box;
  readonly #files: readonly SizedFile[];
  #asked = 0;
  #left = 0;
  #output: AsyncGenerator<Buffer> | undefined;
  #rest: Buffer = Buffer.alloc(0);

  constructor(box: Box, files: readonly SizedFile[]) {
    this.#box = box;
    this.#files = files;
  }

  /** The next file's content; files have to be taken in their order, and each to its end. */
  async *next(path: string, size: number): AsyncGenerator<Uint8Array> {
    if (size === 0) return;
    if (this.#left === 0) await this.#ask();
    this.#left -= 1;
    for (let missing = size; missing > 0; ) {
      const chunk = await this.#chunk(path);
      const part = chunk.subarray(0, missing);
      this.#rest = chunk.subarray(part.length);
      missing -= part.length;
      yield part;
    }
  }

  async close(): Promise<void> {
    await this.#output?.return(undefined);
  }

  async #ask(): Promise<void> {
    await this.close();
    this.#rest = Buffer.alloc(0);
    const batch = this.#files.slice(this.#asked, this.#asked + batchFiles);
    this.#asked += batch.length;
    this.#left = batch.length;
    const names = batch.map(({ path }) => quoted(`/${path}`)).join(" ");
    this.#output = outputOf(this.#box, `exec cat -- ${names}\n`, "reading the changed files");
  }

  async #chunk(path: string): Promise<Buffer> {
    if (this.#rest.length > 0) return this.#rest;
    const next = await this.#output?.next();
    if (next === undefined || next.done === true)
      throw new TracemillError("sandbox-failed", `/${path}: it is shorter than it was listed`);
    return next.value;
  }
}
