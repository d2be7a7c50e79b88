import type * as z from "zod";
import { messageOf, TracemillError } from "./errors.ts";
import type { ObjectStore } from "./ports/object-store.ts";
import { collect, lines, unzstdStream, zstdStream } from "./streams.ts";
import { parseAs } from "./validation.ts";

/** Reads an object as JSON. @throws TracemillError `not-found`, `storage-corrupt`. */
export async function readJson(objects: Pick<ObjectStore, "get">, key: string): Promise<unknown> {
  const body = await objects.get(key);
  if (body === undefined) throw new TracemillError("not-found", `${key}: no such object`);
  return parseJson((await collect(body)).toString("utf8"), key);
}

/**
 * An object's JSON, as the schema has it; `undefined` when there is no such object.
 * @throws TracemillError `storage-corrupt`, naming the object and the field.
 */
export async function findStored<S extends z.ZodType>(
  objects: Pick<ObjectStore, "get">,
  key: string,
  schema: S,
): Promise<z.output<S> | undefined> {
  const body = await objects.get(key);
  if (body === undefined) return undefined;
  return parseAs(schema, parseJson((await collect(body)).toString("utf8"), key), key, "storage-corrupt");
}

/** The same for an object that has to be there. @throws TracemillError `not-found`, `storage-corrupt`. */
export async function readStored<S extends z.ZodType>(
  objects: Pick<ObjectStore, "get">,
  key: string,
  schema: S,
): Promise<z.output<S>> {
  return parseAs(schema, await readJson(objects, key), key, "storage-corrupt");
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

/** Half of a surrogate pair, which JSON escapes only when its other half is not there; and a backslash is its own. */
const loneSurrogate = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

/** A line of JSON. Half characters, which JSON parsers but JavaScript's refuse, are replaced (U+FFFD). */
export function jsonLine(value: unknown): string {
  const text = JSON.stringify(value);
  return `${text.includes("\\ud") ? text.replaceAll(loneSurrogate, "$1\ufffd") : text}\n`;
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
