import * as z from "zod";
import { TracemillError } from "../errors.ts";
import { objectKeys } from "../keys.ts";
import { compareKeys } from "../ports/object-key.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { RawRow } from "../production/schemas.ts";
import { findStored } from "../stored-json.ts";
import { parseAs } from "../validation.ts";
import { readPart, SnapshotPart } from "./chain/part.ts";
import { ChainLink, IngestCounts, IngestQuery, NO_LINK, readCursor } from "./cursor.ts";
import { hashId, IdSet } from "./id-set.ts";
import { parsePlain } from "./json.ts";

const Timestamp = z.iso.datetime();

/** `raw/<source>/<snapshotId>/manifest.json`; a snapshot without one is not complete. */
export const SnapshotManifest = z.strictObject({
  schemaVersion: z.literal(1),
  source: z.string(),
  snapshotId: z.string(),
  /** `incremental`: it holds what is new and what has changed since its parent; the state is both together. */
  kind: z.enum(["full", "incremental"]).default("full"),
  ...ChainLink.partial().shape,
  depth: ChainLink.shape.depth.default(NO_LINK.depth),
  state: ChainLink.shape.state.default(NO_LINK.state),
  evidence: ChainLink.shape.evidence.default(NO_LINK.evidence),
  query: IngestQuery,
  startedAt: Timestamp,
  completedAt: Timestamp,
  /** When the first and the last kept row were fetched; absent when there is none. */
  fetched: z.strictObject({ first: Timestamp, last: Timestamp }).optional(),
  counts: IngestCounts,
  parts: z.array(SnapshotPart),
  rejectParts: z.array(SnapshotPart),
  tombstoneParts: z.array(SnapshotPart).default([]),
  /** Absent in a snapshot that no incremental one can build on. */
  indexParts: z.array(SnapshotPart).optional(),
});
export type SnapshotManifest = z.infer<typeof SnapshotManifest>;

/** The keys of all files of a snapshot but its manifest. */
export function filesOf(manifest: SnapshotManifest): string[] {
  const { parts, rejectParts, tombstoneParts, indexParts = [] } = manifest;
  return [parts, rejectParts, tombstoneParts, indexParts].flat().map(({ key }) => key);
}

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

/** One line of `tombstones-NNNNN.jsonl.zst`: a task that earlier snapshots have, and the state no more. */
export const Tombstone = z.strictObject({
  taskId: z.string(),
  /** `deleted`: the API has it no more. `emptied`: it has no solutions any more, and such tasks are left out. */
  reason: z.enum(["deleted", "emptied"]),
  at: Timestamp,
});
export type Tombstone = z.infer<typeof Tombstone>;

type Objects = Pick<ObjectStore, "get">;

/**
 * The manifest of one snapshot.
 * @returns `undefined` when the snapshot does not exist or is not complete.
 * @throws TracemillError `storage-corrupt` when it does not parse.
 */
export async function readManifest(
  objects: Objects,
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
 * A snapshot and those that it builds on, newest first.
 * @throws TracemillError `not-found` when there is no such complete snapshot; `storage-corrupt` when one that it
 *   builds on is missing.
 */
export async function* readChain(
  objects: Objects,
  source: string,
  snapshotId: string,
): AsyncGenerator<SnapshotManifest> {
  let manifest = await readManifest(objects, source, snapshotId);
  if (manifest === undefined) {
    const key = objectKeys.snapshotManifest(source, snapshotId);
    throw new TracemillError(
      "not-found",
      `no complete snapshot: ${key} is missing; run \`tracemill ingest\``,
    );
  }
  yield manifest;
  while (manifest.parent !== undefined) {
    manifest = await readParent(objects, manifest, manifest.parent);
    yield manifest;
  }
}

async function readParent(
  objects: Objects,
  { source, snapshotId }: SnapshotManifest,
  parent: string,
): Promise<SnapshotManifest> {
  // Ids grow along a chain, so that one which does not is no chain, and this never goes in a circle.
  const found = compareKeys(parent, snapshotId) < 0 ? await readManifest(objects, source, parent) : undefined;
  if (found !== undefined) return found;
  throw new TracemillError(
    "storage-corrupt",
    `${objectKeys.snapshotManifest(source, parent)} is missing, and ${snapshotId} builds on it; bring it back, or begin anew with \`tracemill ingest --full\``,
  );
}

/**
 * The rows of a source's state as of one snapshot: those of that snapshot, then those of the snapshots that it builds
 * on as far as no later one has a row of the same task, or says that it is gone. Holds one row, and 11 to 22 bytes a
 * task.
 * @throws TracemillError `not-found` when there is no such complete snapshot; `storage-corrupt` when a part is
 *   missing, is not what the manifest names, or holds a line that is no row.
 */
export async function* readSnapshotRows(
  objects: Objects,
  source: string,
  snapshotId: string,
): AsyncGenerator<RawRow> {
  const hidden = new IdSet();
  for await (const manifest of readChain(objects, source, snapshotId)) {
    for await (const row of readOwnRows(objects, manifest)) {
      if (hidden.add(hashId(row.task.id))) yield row;
    }
    for await (const { taskId } of readTombstones(objects, manifest)) hidden.add(hashId(taskId));
  }
}

/** The rows of one snapshot alone: what is new in it, and what has changed. Errors: see `readSnapshotRows`. */
export async function* readOwnRows(
  objects: Objects,
  { parts }: Pick<SnapshotManifest, "parts">,
): AsyncGenerator<RawRow> {
  const parse = (text: string, where: string): RawRow =>
    parseAs(RawRow, parsePlain(text), where, "storage-corrupt");
  for (const part of parts) yield* readPart(objects, part, parse);
}

/** The tasks that were gone as of one snapshot, and not yet as of the one before. Errors: see `readSnapshotRows`. */
export async function* readTombstones(
  objects: Objects,
  { tombstoneParts }: Pick<SnapshotManifest, "tombstoneParts">,
): AsyncGenerator<Tombstone> {
  const parse = (text: string, where: string): Tombstone =>
    parseAs(Tombstone, JSON.parse(text), where, "storage-corrupt");
  for (const part of tombstoneParts) yield* readPart(objects, part, parse);
}
