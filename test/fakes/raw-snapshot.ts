import { sha256Hex } from "@tracemill/core/ids.ts";
import type { SnapshotPart } from "@tracemill/core/ingest/chain/part.ts";
import { NO_COUNTS, NO_LINK } from "@tracemill/core/ingest/cursor.ts";
import type { SnapshotManifest } from "@tracemill/core/ingest/manifest.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { zstd } from "@tracemill/core/streams.ts";

const at = "2026-01-01T00:00:00.000Z";

interface SnapshotName {
  source: string;
  snapshotId: string;
}

/**
 * Stores a complete raw snapshot of one part, as an ingest leaves it. Rows get a `fetched_at`.
 * @param change what makes it an incremental one: the snapshot that it builds on, and the tasks that are gone.
 */
export async function storeRawSnapshot(
  objects: ObjectStore,
  { source, snapshotId }: SnapshotName,
  rows: readonly { task: unknown; solutions: readonly unknown[] }[],
  change?: { parent: string; gone?: readonly string[] },
): Promise<void> {
  const solutions = rows.reduce((sum, row) => sum + row.solutions.length, 0);
  const lines = rows.map((row) => ({ ...row, fetched_at: at }));
  const part = await store(objects, objectKeys.snapshotPart(source, snapshotId, 0), lines, solutions);
  const gone = (change?.gone ?? []).map((taskId) => ({ taskId, reason: "deleted", at }));
  const tombstones = objectKeys.snapshotTombstones(source, snapshotId, 0);
  const manifest: SnapshotManifest = {
    schemaVersion: 1,
    source,
    snapshotId,
    ...NO_LINK,
    kind: change === undefined ? "full" : "incremental",
    ...(change && { parent: change.parent, depth: 1 }),
    query: { baseUrl: "http://127.0.0.1", statuses: ["done"], includeEmpty: true, taskPageSize: 100 },
    startedAt: at,
    completedAt: at,
    counts: { ...NO_COUNTS, rows: rows.length, solutions, bytes: part.bytes, requests: 1 },
    parts: [part],
    rejectParts: [],
    tombstoneParts: gone.length === 0 ? [] : [await store(objects, tombstones, gone, 0)],
  };
  await objects.put(objectKeys.snapshotManifest(source, snapshotId), Buffer.from(JSON.stringify(manifest)));
}

async function store(
  objects: ObjectStore,
  key: string,
  values: readonly unknown[],
  solutions: number,
): Promise<SnapshotPart> {
  const text = values.map((value) => `${JSON.stringify(value)}\n`).join("");
  const body = await zstd(Buffer.from(text));
  await objects.put(key, body);
  const rawBytes = Buffer.byteLength(text);
  return { key, rows: values.length, solutions, bytes: body.byteLength, rawBytes, sha256: sha256Hex(body) };
}
