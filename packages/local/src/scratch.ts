import { mkdirSync } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { Scratch, ScratchFile } from "@tracemill/core/ports/scratch.ts";
import { onDisk, onDiskAsync } from "./disk.ts";
import { tempName } from "./disk-temp.ts";
import { DiskWriter } from "./disk-writer.ts";

const readBytes = 256 * 1024;

/**
 * Temporary files in `dir`. Each is unlinked as soon as it is open, so that a killed process leaves nothing
 * behind: the system frees the space with the process.
 * @throws TracemillError `storage-full`, `storage-failed`.
 */
export function tempScratch(dir: string): Scratch {
  const root = resolve(dir);
  return {
    async create() {
      const path = join(root, `scratch-${tempName()}`);
      onDisk(path, () => mkdirSync(root, { recursive: true }));
      const handle = await onDiskAsync(path, () => open(path, "wx+"));
      await onDiskAsync(path, () => unlink(path));
      return new UnlinkedFile(handle, path);
    },
  };
}

class UnlinkedFile implements ScratchFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #writer: DiskWriter;
  #sealed = false;

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
    this.#writer = new DiskWriter(handle, path);
  }

  get size(): number {
    return this.#writer.size;
  }

  async write(chunk: string | Uint8Array): Promise<void> {
    if (this.#sealed) {
      throw new TracemillError(
        "conflict",
        `${this.#path}: this scratch file is being read; write before reading`,
      );
    }
    await this.#writer.write(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  }

  read(): AsyncIterable<Uint8Array> {
    this.#sealed = true;
    return this.#chunks();
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    await this.#writer.flush();
    for (let at = 0; at < this.size; ) {
      const buffer = Buffer.allocUnsafe(Math.min(readBytes, this.size - at));
      const { bytesRead } = await onDiskAsync(this.#path, () =>
        this.#handle.read(buffer, 0, buffer.length, at),
      );
      if (bytesRead === 0)
        throw new TracemillError("storage-corrupt", `${this.#path}: ended after ${at} bytes`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
