import type { FileHandle } from "node:fs/promises";
import { onDiskAsync } from "./disk.ts";

/** One write call per 256 KiB: rows of a hundred bytes would else cost a thread-pool round trip each. */
const bufferBytes = 256 * 1024;

/** Appends to a file handle through a buffer. One writer at a time. */
export class DiskWriter {
  readonly #handle: FileHandle;
  readonly #path: string;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #size = 0;

  /** @param path named in errors. */
  constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  /** Bytes taken so far, flushed or not. */
  get size(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.byteLength;
    this.#size += chunk.byteLength;
    if (this.#pendingBytes >= bufferBytes) await this.flush();
  }

  /** @throws TracemillError `storage-full`, `storage-failed`. */
  async flush(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    const chunks = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    const [only] = chunks;
    const data = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
    await onDiskAsync(this.#path, async () => {
      for (let done = 0; done < data.byteLength; ) {
        done += (await this.#handle.write(data, done)).bytesWritten;
      }
    });
  }
}
