import { closeSync, createReadStream, type Dirent, openSync, readSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { compareKeys, tempFolder } from "@tracemill/core/ports/object-key.ts";
import { clampRange } from "@tracemill/core/ports/object-range.ts";
import type { GetOptions, ObjectInfo } from "@tracemill/core/ports/object-store.ts";
import { diskError, hasErrno } from "./disk.ts";

/** Up to this size an object is read at once, in blocking calls; beyond it, in pieces. */
const smallBytes = 256 * 1024;

/** Streams the bytes of the range that the file of `size` bytes has; a range beyond its end is empty. */
export function readFileRange(
  path: string,
  key: string,
  size: number,
  range: GetOptions["range"],
): AsyncIterable<Uint8Array> {
  const { start, end } = clampRange(range, size, key);
  if (end - start > smallBytes) return readLarge(path, key, start, end);
  const content = readSmall(path, key, start, end - start);
  return once(content);
}

async function* once(content: Uint8Array): AsyncGenerator<Uint8Array> {
  if (content.byteLength > 0) yield content;
}

function readSmall(path: string, key: string, start: number, length: number): Uint8Array {
  const content = Buffer.allocUnsafe(length);
  if (length === 0) return content;
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    let done = 0;
    for (let read = -1; read !== 0 && done < length; done += read) {
      read = readSync(file, content, done, length - done, start + done);
    }
    return content.subarray(0, done);
  } catch (error) {
    throw diskError(error, key);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

async function* readLarge(path: string, key: string, start: number, end: number): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { start, end: end - 1, highWaterMark: smallBytes });
  } catch (error) {
    throw diskError(error, key);
  }
}

/**
 * The files whose key starts with `prefix`, in key order. Holds the names of one folder per level in memory,
 * and looks into no folder that the prefix rules out. Links and special files are no objects.
 */
export async function* listFiles(root: string, prefix: string): AsyncGenerator<ObjectInfo> {
  const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  yield* listFolder(root, folder, prefix);
}

async function* listFolder(root: string, folder: string, prefix: string): AsyncGenerator<ObjectInfo> {
  for (const key of await sortedKeys(root, folder)) {
    if (!key.startsWith(prefix)) continue;
    if (key.endsWith("/")) {
      yield* listFolder(root, key, prefix);
      continue;
    }
    const size = statSync(join(root, key), { throwIfNoEntry: false })?.size;
    if (size !== undefined) yield { key, size };
  }
}

/** Keys of a folder's files, and of its folders with a `/` at the end, which puts `a-b` before `a/b`. */
async function sortedKeys(root: string, folder: string): Promise<string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(join(root, folder), { withFileTypes: true });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw diskError(error, join(root, folder));
  }
  const keys: string[] = [];
  for (const entry of entries) {
    if (folder === "" && entry.name === tempFolder) continue;
    if (entry.isDirectory()) keys.push(`${folder}${entry.name}/`);
    else if (entry.isFile()) keys.push(folder + entry.name);
  }
  return keys.sort(compareKeys);
}
