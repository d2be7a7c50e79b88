import type { ObjectStore } from "../ports/object-store.ts";
import { zstd, zstdStream } from "../streams.ts";

/** Workspaces up to this size are compressed in memory, larger ones are streamed. */
const inMemoryBytes = 1024 * 1024;

/**
 * Stores a workspace (an OCI-layer tar) compressed.
 * @returns false when the tar has no entries; nothing is stored then.
 */
export async function storeWorkspace(
  key: string,
  tar: AsyncIterable<Uint8Array>,
  objects: Pick<ObjectStore, "put">,
): Promise<boolean> {
  const source = tar[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let size = 0;
  while (size <= inMemoryBytes) {
    const next = await source.next();
    if (next.done === true) return storeSmall(key, Buffer.concat(head), objects);
    head.push(next.value);
    size += next.value.length;
  }
  await objects.put(key, zstdStream(resumed(head, source)));
  return true;
}

async function storeSmall(key: string, tar: Buffer, objects: Pick<ObjectStore, "put">): Promise<boolean> {
  if (tar.every((byte) => byte === 0)) return false;
  await objects.put(key, await zstd(tar));
  return true;
}

async function* resumed(
  head: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* head;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
