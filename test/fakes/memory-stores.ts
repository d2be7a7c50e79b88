import { TracemillError } from "@tracemill/core/errors.ts";
import { assertKeyPrefix, assertObjectKey, compareKeys } from "@tracemill/core/ports/object-key.ts";
import { clampRange } from "@tracemill/core/ports/object-range.ts";
import type { ObjectBody, ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { assertRecordKey } from "@tracemill/core/ports/record-key.ts";
import type { QueryOptions, RecordStore, StoredRecord } from "@tracemill/core/ports/record-store.ts";
import type { Scratch } from "@tracemill/core/ports/scratch.ts";
import { collect } from "@tracemill/core/streams.ts";

/** An object store in memory, for tests. */
export function memoryObjectStore(): ObjectStore {
  const objects = new Map<string, Uint8Array>();
  const bytesOf = async (body: ObjectBody): Promise<Uint8Array> =>
    body instanceof Uint8Array ? Uint8Array.from(body) : collect(body);
  return {
    async putIfAbsent(key, body) {
      assertObjectKey(key);
      const bytes = await bytesOf(body);
      if (objects.has(key)) return { created: false };
      objects.set(key, bytes);
      return { created: true };
    },
    async put(key, body) {
      assertObjectKey(key);
      objects.set(key, await bytesOf(body));
    },
    async get(key, options) {
      assertObjectKey(key);
      const bytes = objects.get(key);
      if (bytes === undefined) return undefined;
      const { start, end } = clampRange(options?.range, bytes.byteLength, key);
      return stream(bytes.subarray(start, end));
    },
    async head(key) {
      assertObjectKey(key);
      const bytes = objects.get(key);
      return bytes === undefined ? undefined : { key, size: bytes.byteLength };
    },
    async *list(prefix) {
      assertKeyPrefix(prefix);
      for (const key of [...objects.keys()].filter((each) => each.startsWith(prefix)).sort(compareKeys)) {
        const size = objects.get(key)?.byteLength;
        if (size !== undefined) yield { key, size };
      }
    },
    async delete(key) {
      assertObjectKey(key);
      objects.delete(key);
    },
  };
}

async function* stream(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** A record store in memory, for tests. */
export function memoryRecordStore(): RecordStore & { close(): void } {
  const partitions = new Map<string, Map<string, { version: number; data: string }>>();
  const partition = (pk: string) =>
    partitions.get(pk) ?? new Map<string, { version: number; data: string }>();
  const read = (pk: string, sk: string): StoredRecord | undefined => {
    const found = partition(pk).get(sk);
    return found === undefined ? undefined : { pk, sk, version: found.version, data: JSON.parse(found.data) };
  };
  return {
    async get(key) {
      assertRecordKey(key);
      return read(key.pk, key.sk);
    },
    async put(key, data, condition) {
      assertRecordKey(key);
      const text: string | undefined = JSON.stringify(data);
      if (text === undefined)
        throw new TracemillError("invalid-input", `record ${key.pk}/${key.sk}: not JSON`);
      const rows = partition(key.pk);
      const version = rows.get(key.sk)?.version ?? 0;
      if (condition === "absent" && version !== 0) return undefined;
      if (typeof condition === "object" && condition.version !== version) return undefined;
      partitions.set(key.pk, rows.set(key.sk, { version: version + 1, data: text }));
      return version + 1;
    },
    async delete(key, condition) {
      assertRecordKey(key);
      const rows = partition(key.pk);
      const version = rows.get(key.sk)?.version;
      if (condition === "absent") return version === undefined;
      if (typeof condition === "object" && condition.version !== version) return false;
      rows.delete(key.sk);
      return true;
    },
    async *query(pk, options = {}) {
      for (const sk of selected([...partition(pk).keys()], options)) {
        const record = read(pk, sk);
        if (record !== undefined) yield record;
      }
    },
    close() {},
  };
}

function selected(
  keys: string[],
  { prefix = "", after = "", limit, reverse = false }: QueryOptions,
): string[] {
  const sorted = keys.filter((sk) => sk.startsWith(prefix) && compareKeys(sk, after) > 0).sort(compareKeys);
  return (reverse ? sorted.reverse() : sorted).slice(0, limit);
}

/** Scratch files in memory, for tests. */
export function memoryScratch(): Scratch {
  return {
    async create() {
      const chunks: Buffer[] = [];
      let size = 0;
      return {
        get size() {
          return size;
        },
        async write(chunk) {
          const bytes = Buffer.from(chunk);
          size += bytes.byteLength;
          chunks.push(bytes);
        },
        async *read() {
          yield* chunks;
        },
        async [Symbol.asyncDispose]() {
          chunks.length = 0;
        },
      };
    },
  };
}
