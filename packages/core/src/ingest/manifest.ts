import { createHash } from "node:crypto";
import * as z from "zod";
import { isTracemillError, messageOf, TracemillError } from "../errors.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { RawRow } from "../production/schemas.ts";
import { findStored } from "../stored-json.ts";
import { lines, unzstdStream } from "../streams.ts";
import { parseAs } from "../validation.ts";
import { IngestCounts, IngestQuery, readCursor } from "./cursor.ts";
import { parsePlain } from "./json.ts";

const Timestamp = z.iso.datetime();
const Count = z.number().int().min(0);

/** One file of a snapshot: JSONL, compressed by zstd. */
export const SnapshotPart = z.strictObject({
  key: z.string(),
  /** Lines. */
  rows: Count,
  /** Solutions in those rows; 0 for rejects. */
  solutions: Count,
  /** Bytes of the stored object. */
  bytes: Count,
  /** Bytes before compression. */
  rawBytes: Count,
  /** SHA-256 of the stored object, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type SnapshotPart = z.infer<typeof SnapshotPart>;

/** `raw/<source>/<snapshotId>/manifest.json`; a snapshot without one is not complete. */
export const SnapshotManifest = z.strictObject({
  schemaVersion: z.literal(1),
  source: z.string(),
  snapshotId: z.string(),
  query: IngestQuery,
  startedAt: Timestamp,
  completedAt: Timestamp,
  /** When the first and the last kept row were fetched; absent when there is none. */
  fetched: z.strictObject({ first: Timestamp, last: Timestamp }).optional(),
  counts: IngestCounts,
  parts: z.array(SnapshotPart),
  rejectParts: z.array(SnapshotPart),
});
export type SnapshotManifest = z.infer<typeof SnapshotManifest>;

/** One line of `rejects-NNNNN.jsonl.zst`. */
export const IngestReject = z.strictObject({
  /** What was put aside: a whole task, or one solution of a task that was kept. */
  kind: z.enum(["task", "solution"]),
  taskId: z.string().optional(),
  reason: z.string(),
  /** What the source sent. */
  value: z.unknown(),
});
export type IngestReject = z.infer<typeof IngestReject>;

/**
 * The manifest of one snapshot.
 * @returns `undefined` when the snapshot does not exist or is not complete.
 * @throws TracemillError `storage-corrupt` when it does not parse.
 */
export async function readManifest(
  objects: Pick<ObjectStore, "get">,
  source: string,
  snapshotId: string,
): Promise<SnapshotManifest | undefined> {
  return findStored(objects, objectKeys.snapshotManifest(source, snapshotId), SnapshotManifest);
}

/**
 * The id of the newest complete snapshot of a source; `undefined` when there is none.
 * @throws TracemillError `storage-corrupt` when the source's cursor does not parse.
 */
export async function latestSnapshot(
  records: Pick<RecordStore, "get">,
  source: string,
): Promise<string | undefined> {
  const cursor = (await readCursor(records, source))?.data;
  return cursor?.status === "complete" ? cursor.snapshotId : cursor?.previous;
}

/**
 * The rows of a complete snapshot, in the order of the source. Holds one row at a time.
 * @throws TracemillError `not-found` when there is no such complete snapshot; `storage-corrupt` when a part is
 *   missing, is not what the manifest names, or holds a line that is no row.
 */
export async function* readSnapshotRows(
  objects: Pick<ObjectStore, "get">,
  source: string,
  snapshotId: string,
): AsyncGenerator<RawRow> {
  const manifest = await readManifest(objects, source, snapshotId);
  if (manifest === undefined) {
    const key = objectKeys.snapshotManifest(source, snapshotId);
    throw new TracemillError(
      "not-found",
      `no complete snapshot: ${key} is missing; run \`tracemill ingest\``,
    );
  }
  for (const part of manifest.parts) yield* readPart(objects, part);
}

async function* readPart(objects: Pick<ObjectStore, "get">, part: SnapshotPart): AsyncGenerator<RawRow> {
  let line = 0;
  for await (const text of partLines(objects, part)) {
    line += 1;
    yield parseRow(text, `${part.key} line ${line}`);
  }
}

function parseRow(text: string, where: string): RawRow {
  let value: unknown;
  try {
    value = parsePlain(text);
  } catch (error) {
    throw new TracemillError("storage-corrupt", `${where} is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return parseAs(RawRow, value, where, "storage-corrupt");
}

async function* partLines(objects: Pick<ObjectStore, "get">, part: SnapshotPart): AsyncGenerator<string> {
  const stored = await objects.get(part.key);
  if (stored === undefined) {
    throw new TracemillError("storage-corrupt", `${part.key} is missing; ingest the source again`);
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
