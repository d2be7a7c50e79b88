import { sha256Hex } from "@tracemill/core/ids.ts";
import type { SnapshotManifest } from "@tracemill/core/ingest/manifest.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { zstd } from "@tracemill/core/streams.ts";

const at = "2026-01-01T00:00:00.000Z";

/** Stores a complete raw snapshot of one part, as an ingest leaves it. Rows get a `fetched_at`. */
export async function storeRawSnapshot(
  objects: ObjectStore,
  { source, snapshotId }: { source: string; snapshotId: string },
  rows: readonly { task: unknown; solutions: readonly unknown[] }[],
): Promise<void> {
  const text = rows.map((row) => `${JSON.stringify({ ...row, fetched_at: at })}\n`).join("");
  const body = await zstd(Buffer.from(text));
  const solutions = rows.reduce((sum, row) => sum + row.solutions.length, 0);
  const key = objectKeys.snapshotPart(source, snapshotId, 0);
  await objects.put(key, body);
  const bytes = body.byteLength;
  const counts = {
    rows: rows.length,
    solutions,
    duplicates: 0,
    empty: 0,
    rejects: 0,
    bytes,
    requests: 1,
    retries: 0,
  };
  const part = {
    key,
    rows: rows.length,
    solutions,
    bytes,
    rawBytes: Buffer.byteLength(text),
    sha256: sha256Hex(body),
  };
  const manifest: SnapshotManifest = {
    schemaVersion: 1,
    source,
    snapshotId,
    query: { baseUrl: "http://127.0.0.1", statuses: ["done"], includeEmpty: true, taskPageSize: 100 },
    startedAt: at,
    completedAt: at,
    counts,
    parts: [part],
    rejectParts: [],
  };
  await objects.put(objectKeys.snapshotManifest(source, snapshotId), Buffer.from(JSON.stringify(manifest)));
}
