import { createHash } from "node:crypto";
import * as z from "zod";
import { isTracemillError, messageOf, TracemillError } from "../../errors.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { lines, unzstdStream } from "../../streams.ts";

const Count = z.number().int().min(0);

/** One file of a snapshot: JSONL, compressed by zstd. */
export const SnapshotPart = z.strictObject({
  key: z.string(),
  /** Lines. */
  rows: Count,
  /** Solutions in those rows; 0 for files of anything else. */
  solutions: Count,
  /** Bytes of the stored object. */
  bytes: Count,
  /** Bytes before compression. */
  rawBytes: Count,
  /** SHA-256 of the stored object, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type SnapshotPart = z.infer<typeof SnapshotPart>;

/**
 * The lines of a file of a snapshot, each read by `parse`. Holds one at a time.
 * @throws TracemillError `storage-corrupt` when the file is missing, is not what its manifest names, or holds a line
 *   that is not JSON; and what `parse` throws.
 */
export async function* readPart<T>(
  objects: Pick<ObjectStore, "get">,
  part: SnapshotPart,
  parse: (text: string, where: string) => T,
): AsyncGenerator<T> {
  let line = 0;
  for await (const text of partLines(objects, part)) {
    line += 1;
    const where = `${part.key} line ${line}`;
    try {
      yield parse(text, where);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new TracemillError("storage-corrupt", `${where} is not JSON: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

async function* partLines(objects: Pick<ObjectStore, "get">, part: SnapshotPart): AsyncGenerator<string> {
  const stored = await objects.get(part.key);
  if (stored === undefined) {
    throw new TracemillError(
      "storage-corrupt",
      `${part.key} is missing; ingest the source again with --full`,
    );
  }
  const hash = createHash("sha256");
  try {
    yield* lines(unzstdStream(tee(stored, (chunk) => hash.update(chunk))));
  } catch (error) {
    if (isTracemillError(error)) throw error;
    throw new TracemillError("storage-corrupt", `${part.key} does not decompress: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (hash.digest("hex") !== part.sha256) {
    throw new TracemillError(
      "storage-corrupt",
      `${part.key} is not the file that its manifest names (SHA-256)`,
    );
  }
}

async function* tee(
  source: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    see(chunk);
    yield chunk;
  }
}
