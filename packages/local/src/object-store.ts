import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { TracemillError } from "@tracemill/core/errors.ts";
import { assertKeyPrefix, assertObjectKey, tempFolder } from "@tracemill/core/ports/object-key.ts";
import type { ObjectBody, ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { diskError, hasErrno, onDisk, onDiskAsync } from "./disk.ts";
import { cleanLeftovers, tempName } from "./disk-temp.ts";
import { DiskWriter } from "./disk-writer.ts";
import { listFiles, readFileRange } from "./object-store-read.ts";

/** Up to this size, five blocking system calls are faster than as many trips through the thread pool. */
const smallBytes = 256 * 1024;

/** Moves a finished file to its key. `exists`: something is there already. */
type Publish = (temp: string, path: string) => "done" | "exists";

/**
 * Objects as files of a directory: the key is the relative path.
 *
 * Writes go to `.tmp` inside the directory and are linked (`putIfAbsent`) or renamed (`put`) into place, so
 * that no reader ever sees half an object and a killed process leaves only a file in `.tmp`, which a later
 * `openObjectStore` removes. Nothing is forced to the platter: a killed process loses nothing, a power cut
 * may lose the last seconds. A key cannot also be the folder of other keys.
 * @throws TracemillError as the port says; `storage-failed` when old leftovers cannot be removed.
 */
export function openObjectStore(dir: string): ObjectStore {
  const root = resolve(dir);
  cleanLeftovers(join(root, tempFolder));
  const pathOf = (key: string): string => {
    assertObjectKey(key);
    return join(root, key);
  };
  return {
    async putIfAbsent(key, body) {
      const path = pathOf(key);
      if (!(body instanceof Uint8Array) && sizeOf(path, key) !== undefined) {
        if (body instanceof Readable) body.destroy();
        return { created: false };
      }
      return { created: (await write(root, key, body, linkNew)) === "done" };
    },
    async put(key, body) {
      pathOf(key);
      await write(root, key, body, replace);
    },
    async get(key, options) {
      const path = pathOf(key);
      const size = sizeOf(path, key);
      return size === undefined ? undefined : readFileRange(path, key, size, options?.range);
    },
    async head(key) {
      const size = sizeOf(pathOf(key), key);
      return size === undefined ? undefined : { key, size };
    },
    async *list(prefix) {
      assertKeyPrefix(prefix);
      yield* listFiles(root, prefix);
    },
    async delete(key) {
      const path = pathOf(key);
      if (sizeOf(path, key) !== undefined) removeFile(path, key);
    },
  };
}

/** Bytes of the file, or `undefined` when there is none. A folder is not an object. */
function sizeOf(path: string, key: string): number | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isFile() === true ? found.size : undefined;
  } catch (error) {
    if (hasErrno(error, "ENOTDIR")) return undefined;
    throw diskError(error, key);
  }
}

async function write(
  root: string,
  key: string,
  body: ObjectBody,
  publish: Publish,
): Promise<"done" | "exists"> {
  const temp = join(root, tempFolder, tempName());
  let isMoved = false;
  try {
    if (body instanceof Uint8Array && body.byteLength <= smallBytes) writeSmall(temp, body);
    else await writeLarge(temp, body instanceof Uint8Array ? [body] : body);
    const placed = place(temp, join(root, key), key, publish);
    // Removing what is not there any more would cost as much as writing it.
    isMoved = publish === replace;
    return placed;
  } finally {
    if (!isMoved) removeFile(temp, temp);
  }
}

function writeSmall(temp: string, body: Uint8Array): void {
  onDisk(temp, () => {
    const file = withFolder(temp, () => openSync(temp, "wx"));
    try {
      for (let done = 0; done < body.byteLength; ) done += writeSync(file, body, done);
    } finally {
      closeSync(file);
    }
  });
}

async function writeLarge(
  temp: string,
  body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  onDisk(temp, () => mkdirSync(dirname(temp), { recursive: true }));
  await using handle = await onDiskAsync(temp, () => open(temp, "wx"));
  const writer = new DiskWriter(handle, temp);
  for await (const chunk of body) await writer.write(chunk);
  await writer.flush();
}

function place(temp: string, path: string, key: string, publish: Publish): "done" | "exists" {
  try {
    const placed = withFolder(path, () => publish(temp, path));
    if (placed === "done" || sizeOf(path, key) !== undefined) return placed;
  } catch (error) {
    if (!hasErrno(error, "EEXIST", "ENOTDIR", "EISDIR", "ENOTEMPTY")) throw diskError(error, path);
  }
  throw new TracemillError(
    "invalid-input",
    `object key ${JSON.stringify(key)}: a key cannot also be the folder of other keys; choose another`,
  );
}

const linkNew: Publish = (temp, path) => {
  try {
    linkSync(temp, path);
    return "done";
  } catch (error) {
    if (hasErrno(error, "EEXIST")) return "exists";
    throw error;
  }
};

const replace: Publish = (temp, path) => {
  renameSync(temp, path);
  return "done";
};

/** Makes the path's folder only when it turns out to be missing: most writes find it there. */
function withFolder<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    mkdirSync(dirname(path), { recursive: true });
    return work();
  }
}

function removeFile(path: string, named: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw diskError(error, named);
  }
}
