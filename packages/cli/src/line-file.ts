import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";

/** A file of lines that comes into being whole, or not at all. */
export interface LineFile {
  write(line: string): Promise<void>;
  /** Puts the file in its place. */
  commit(): Promise<void>;
  /** Leaves what was there before as it was; nothing happens after `commit`. */
  discard(): Promise<void>;
}

/** Bytes gathered before a write reaches the disk. */
const BUFFER_BYTES = 256 * 1024;

/** Opens a file for lines beside `path`; `-` is standard output, which gets each line at once. */
export async function openLineFile(path: string): Promise<LineFile> {
  return path === "-" ? standardOutput() : temporaryFile(resolve(path));
}

async function temporaryFile(path: string): Promise<LineFile> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const handle = await orFail(path, async () => {
    if ((await stat(path).catch(() => undefined))?.isDirectory())
      throw new Error("it is a folder; name a file");
    await mkdir(dirname(path), { recursive: true });
    return open(temporary, "w");
  });
  let pending: string[] = [];
  let pendingBytes = 0;
  let isOpen = true;
  const drain = async (): Promise<void> => {
    const text = pending.join("");
    pending = [];
    pendingBytes = 0;
    if (text !== "") await orFail(path, () => handle.writeFile(text));
  };
  return {
    async write(line) {
      pending.push(`${line}\n`);
      pendingBytes += line.length + 1;
      if (pendingBytes >= BUFFER_BYTES) await drain();
    },
    async commit() {
      await drain();
      await orFail(path, async () => {
        await handle.sync();
        await handle.close();
        isOpen = false;
        await rename(temporary, path);
      });
    },
    async discard() {
      if (!isOpen) return;
      isOpen = false;
      await handle.close();
      await rm(temporary, { force: true });
    },
  };
}

function standardOutput(): LineFile {
  let failure: Error | undefined;
  const onError = (error: Error): void => {
    failure = error;
  };
  process.stdout.on("error", onError);
  const write = (line: string): Promise<void> =>
    orFail("standard output", async () => {
      if (failure !== undefined) throw failure;
      await new Promise<void>((done, fail) => {
        process.stdout.write(`${line}\n`, (error) => (error ? fail(error) : done()));
      });
    });
  return { write, commit: async () => {}, discard: async () => {} };
}

async function orFail<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const full = (error as { code?: string }).code === "ENOSPC";
    const message = full ? `${path}: the disk is full` : `${path}: cannot be written (${messageOf(error)})`;
    throw new TracemillError(full ? "storage-full" : "storage-failed", message, { cause: error });
  }
}
