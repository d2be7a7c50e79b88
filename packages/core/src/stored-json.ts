import { messageOf, TracemillError } from "./errors.ts";
import type { ObjectStore } from "./ports/object-store.ts";
import { collect, lines, unzstdStream, zstdStream } from "./streams.ts";

/** Reads an object as JSON. @throws TracemillError `not-found`, `storage-corrupt`. */
export async function readJson(objects: Pick<ObjectStore, "get">, key: string): Promise<unknown> {
  const body = await objects.get(key);
  if (body === undefined) throw new TracemillError("not-found", `${key}: no such object`);
  return parseJson((await collect(body)).toString("utf8"), key);
}

/** The values of a zstd-compressed JSON-lines object. @throws TracemillError `not-found`, `storage-corrupt`. */
export async function* readJsonLines(
  objects: Pick<ObjectStore, "get">,
  key: string,
): AsyncGenerator<unknown> {
  const body = await objects.get(key);
  if (body === undefined) throw new TracemillError("not-found", `${key}: no such object`);
  let number = 0;
  for await (const line of lines(unzstdStream(body))) {
    number += 1;
    yield parseJson(line, `${key}, line ${number}`);
  }
}

/** Values as a zstd-compressed JSON-lines body, for `ObjectStore.put`. */
export function jsonLinesBody(values: Iterable<unknown> | AsyncIterable<unknown>): AsyncIterable<Uint8Array> {
  return zstdStream(encode(values));
}

async function* encode(values: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const value of values) yield Buffer.from(`${JSON.stringify(value)}\n`);
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TracemillError("storage-corrupt", `${where}: not whole JSON (${messageOf(error)})`, {
      cause: error,
    });
  }
}
