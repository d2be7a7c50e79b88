import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { parseAs } from "../validation.ts";
import { clearSpools } from "./body/spool.ts";
import { loadKnown, missingTasks } from "./chain/read-index.ts";
import { Trust } from "./chain/trust.ts";
import type { ProductionClient } from "./client.ts";
import type { IngestCounts, OpenCursor } from "./cursor.ts";
import type { IdSet } from "./id-set.ts";
import { filesOf, readManifest, type SnapshotManifest } from "./manifest.ts";
import { clientFor, type FetchDeps, type IngestInput, IngestOptions, namesAll, toQuery } from "./options.ts";
import { fetchRows, type RowDeps, type RowQuery } from "./rows.ts";
import { type IngestSession, openSession, removeExcept } from "./session.ts";
import { filterBy } from "./since.ts";
import { withRequests } from "./tally.ts";

export interface IngestDeps extends FetchDeps {
  objects: ObjectStore;
  records: Pick<RecordStore, "get" | "put">;
  /** Told after every entry of the source, with the counts so far, earlier processes' included. */
  onProgress?: ((counts: IngestCounts) => void) | undefined;
}

/**
 * Mirrors a production API into `raw/<source>/<snapshotId>/`. Where the last whole snapshot is of the same query, only
 * what is new since then, has changed or is gone goes into this one (docs/design/incremental-ingest.md). An unfinished snapshot of the same query is
 * gone on with; when this process is stopped or fails, everything fetched in order until then is stored first.
 * @returns the manifest of the finished snapshot.
 * @throws TracemillError `invalid-input`, `unauthorized`, `source-unavailable`, `source-protocol`, `conflict`,
 *   `cancelled`, `storage-*`.
 */
export async function ingestSnapshot(input: IngestInput, deps: IngestDeps): Promise<SnapshotManifest> {
  const options = parseAs(IngestOptions, input, "ingest options");
  const artifacts = { objects: deps.objects, source: options.source };
  const client = clientFor(options, { ...pickFetchDeps(deps), artifacts });
  const query = toQuery(options, client);
  const { restart, full } = options;
  const session = await openSession({ source: options.source, query, restart, full }, deps);
  await clearSpools(artifacts);
  const { source, snapshotId } = session.cursor;
  // Killed between the manifest and the cursor: there is nothing left to fetch.
  const manifest =
    (await readManifest(deps.objects, source, snapshotId)) ?? (await fill(session, client, options, deps));
  return finish(session, manifest, deps);
}

async function fill(
  session: IngestSession,
  client: ProductionClient,
  options: IngestOptions,
  deps: IngestDeps,
): Promise<SnapshotManifest> {
  const before = session.counts;
  const recount = (): void => {
    session.counts = withRequests(session.counts, before, client.stats);
  };
  const start = await session.start();
  const rows = fetchRows(
    rowQuery(options, session.cursor),
    await rowDeps(session.cursor, client, deps),
    start,
  );
  try {
    for (;;) {
      const next = await nextOrStored(rows, session, recount);
      if (next.done) break;
      recount();
      await session.take(next.value);
      deps.onProgress?.(session.counts);
    }
  } finally {
    await rows.return(undefined);
  }
  recount();
  await session.flush({ status: "end" });
  return session.manifest();
}

function rowQuery(options: IngestOptions, { query, link }: OpenCursor): RowQuery {
  const { statuses, search, maxTasks, includeEmpty, concurrency, sinceParam } = options;
  return {
    statuses,
    search,
    maxTasks,
    includeEmpty,
    concurrency,
    ...(link.since !== undefined && { sinceMs: Date.parse(link.since) }),
    filter: filterBy(sinceParam, link.filter),
    complete: namesAll(query, link.filter),
  };
}

async function rowDeps(
  { source, query, link }: OpenCursor,
  client: ProductionClient,
  { objects, clock }: IngestDeps,
): Promise<RowDeps> {
  const trust = new Trust(link.evidence, link.depth);
  if (link.parent === undefined) return { client, clock, trust };
  const parent = { source, snapshotId: link.parent };
  const known = await loadKnown(objects, parent);
  const movingOnly = !namesAll(query, link.filter);
  const missing = (seen: IdSet) => missingTasks(objects, parent, { known, seen, movingOnly });
  return { client, clock, trust, known, missing };
}

/** The next row; when there is an error instead, what came before it is stored before the error is passed on. */
async function nextOrStored<T>(rows: AsyncGenerator<T>, session: IngestSession, recount: () => void) {
  try {
    return await rows.next();
  } catch (error) {
    recount();
    await session.flush();
    throw error;
  }
}

async function finish(
  session: IngestSession,
  filled: SnapshotManifest,
  { objects }: IngestDeps,
): Promise<SnapshotManifest> {
  const { source, snapshotId } = filled;
  const key = objectKeys.snapshotManifest(source, snapshotId);
  const { created } = await objects.putIfAbsent(
    key,
    Buffer.from(`${JSON.stringify(filled, undefined, 2)}\n`),
  );
  // A process that was displaced just before its end may have been first: what it wrote is complete too.
  const manifest = created ? filled : ((await readManifest(objects, source, snapshotId)) ?? filled);
  await session.complete(manifest);
  // Last, since another process may be at work on this snapshot until the cursor says complete.
  await removeExcept(objects, source, snapshotId, new Set([key, ...filesOf(manifest)]));
  return manifest;
}

function pickFetchDeps({ fetch, clock, random, signal, onRetry, token }: IngestDeps): FetchDeps {
  return { fetch, clock, random, signal, onRetry, token };
}
