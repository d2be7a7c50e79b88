import { snapshotIdAfter, timeId } from "../ids.ts";
import { objectKeys } from "../keys.ts";
import type { Clock } from "../ports/clock.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import {
  type ChainLink,
  type IngestCounts,
  type IngestQuery,
  NO_COUNTS,
  NO_LINK,
  type OpenCursor,
  type ResumePoint,
  readCursor,
  writeCursor,
} from "./cursor.ts";
import type { FetchedRow } from "./fetched-row.ts";
import { IdSet } from "./id-set.ts";
import type { RowStart } from "./list.ts";
import { readManifest, SnapshotManifest } from "./manifest.ts";
import { assertSameQuery, isSameQuery, isSameScope } from "./options.ts";
import { addSeen, PartBuffer, type PartCheckpoint, readCheckpoint } from "./parts.ts";
import { resolveSince } from "./since.ts";
import { linkWith, tally } from "./tally.ts";

export interface SessionDeps {
  objects: ObjectStore;
  records: Pick<RecordStore, "get" | "put">;
  clock: Clock;
}

/** One process's work on one snapshot: what it holds in memory, and the cursor that it last wrote. */
export class IngestSession {
  cursor: OpenCursor;
  /** Counts with what is still in the buffer. */
  counts: IngestCounts;
  #version: number;
  #resume: ResumePoint;
  #taken: number;
  #link: ChainLink;
  #buffer = new PartBuffer();
  readonly #deps: SessionDeps;

  constructor(cursor: OpenCursor, version: number, deps: SessionDeps) {
    this.cursor = cursor;
    this.counts = cursor.counts;
    this.#version = version;
    this.#resume = cursor.resume;
    this.#taken = cursor.taken;
    this.#link = cursor.link;
    this.#deps = deps;
  }

  /** Takes one entry of the source; stores a part when there is enough for one. */
  async take(row: FetchedRow): Promise<void> {
    this.#buffer.add(row);
    this.#resume = row.place;
    if (row.kind !== "duplicate" && row.place.status === "within") this.#taken += 1;
    this.counts = tally(this.counts, row);
    this.#link = linkWith(this.#link, row, this.#deps.clock.now());
    if (this.#buffer.full) await this.flush();
  }

  /** Stores what is held, then moves the cursor on. @throws TracemillError `conflict`, `storage-*`. */
  async flush(resume: ResumePoint = this.#resume): Promise<void> {
    const { objects, records, clock } = this.#deps;
    let { nextPart, skippedParts } = this.cursor;
    if (this.#buffer.entries > 0) {
      const { number, bytes } = await this.#buffer.store(objects, this.cursor, nextPart);
      const skipped = Array.from({ length: number - nextPart }, (_, index) => nextPart + index);
      skippedParts = [...skippedParts, ...skipped];
      nextPart = number + 1;
      this.counts = { ...this.counts, bytes: this.counts.bytes + bytes };
    }
    const updatedAt = new Date(clock.now()).toISOString();
    const position = { updatedAt, resume, taken: this.#taken, link: this.#link, counts: this.counts };
    const cursor = { ...this.cursor, ...position, nextPart, skippedParts };
    this.#version = await writeCursor(records, cursor, this.#version);
    this.cursor = cursor;
    this.#buffer = new PartBuffer();
  }

  /** What the parts stored so far mean for a fetch that goes on. */
  async start(): Promise<RowStart> {
    const seen = new IdSet();
    for (const number of this.#partNumbers()) {
      addSeen(seen, await readCheckpoint(this.#deps.objects, this.cursor, number));
    }
    return { resume: this.cursor.resume, taken: this.cursor.taken, seen };
  }

  /** The manifest of all that was stored. */
  async manifest(): Promise<SnapshotManifest> {
    const { source, snapshotId, query, startedAt, counts, link } = this.cursor;
    const kept: PartCheckpoint[] = [];
    for (const number of this.#partNumbers()) {
      // The hashes are not wanted any more: 8 bytes a task, for all of them at once.
      kept.push({ ...(await readCheckpoint(this.#deps.objects, this.cursor, number)), seen: "" });
    }
    const files = (name: "part" | "rejects" | "tombstones" | "index") =>
      kept.map((checkpoint) => checkpoint[name]).filter((part) => part !== undefined);
    const fetched = kept.map((checkpoint) => checkpoint.fetched).filter((each) => each !== undefined);
    const [first, last] = [fetched[0]?.first, fetched.at(-1)?.last];
    return SnapshotManifest.parse({
      schemaVersion: 1,
      source,
      snapshotId,
      kind: link.parent === undefined ? "full" : "incremental",
      ...link,
      query,
      startedAt,
      completedAt: new Date(this.#deps.clock.now()).toISOString(),
      ...(first !== undefined && last !== undefined && { fetched: { first, last } }),
      counts,
      parts: files("part"),
      rejectParts: files("rejects"),
      tombstoneParts: files("tombstones"),
      indexParts: files("index"),
    });
  }

  /** Marks the source as having this snapshot, complete. */
  async complete(manifest: SnapshotManifest): Promise<void> {
    const { schemaVersion, source, snapshotId, query, startedAt } = this.cursor;
    const { completedAt: updatedAt, counts } = manifest;
    const base = { schemaVersion, source, snapshotId, query, startedAt, updatedAt, counts };
    await writeCursor(this.#deps.records, { ...base, status: "complete" }, this.#version);
  }

  #partNumbers(): number[] {
    const skipped = new Set(this.cursor.skippedParts);
    return Array.from({ length: this.cursor.nextPart }, (_, index) => index).filter((n) => !skipped.has(n));
  }
}

export interface SessionRequest {
  source: string;
  query: IngestQuery;
  restart: boolean;
  full: boolean;
}

/**
 * Goes on with the source's unfinished snapshot, or begins one: one that builds on the last whole snapshot when that
 * is of the same tasks. Either way the cursor is written under this process's name, so that a process that had it
 * until now fails at its next write.
 * @throws TracemillError `conflict` when the unfinished one has another query, or another process is quicker.
 */
export async function openSession(request: SessionRequest, deps: SessionDeps): Promise<IngestSession> {
  const { source, query, restart, full } = request;
  const found = await readCursor(deps.records, source);
  const now = deps.clock.now();
  const owner = timeId("own", now);
  const updatedAt = new Date(now).toISOString();
  const open = found?.data.status === "open" ? found.data : undefined;
  // What an incremental one has fetched, a full one fetches too.
  const dropped = restart || (full && open?.link.parent !== undefined);
  if (open !== undefined && !dropped && !isDroppable(open, query)) {
    assertSameQuery(source, open.query, query);
    const taken: OpenCursor = { ...open, owner, updatedAt };
    return new IngestSession(taken, await writeCursor(deps.records, taken, found?.version), deps);
  }
  const previous = open === undefined ? found?.data.snapshotId : open.previous;
  const cursor: OpenCursor = {
    schemaVersion: 1,
    status: "open",
    source,
    snapshotId: snapshotIdAfter(open?.snapshotId ?? previous, now),
    owner,
    query,
    startedAt: updatedAt,
    updatedAt,
    link: linkTo(full ? undefined : await findParent(request, previous, deps), query, now),
    counts: NO_COUNTS,
    resume: { status: "start" },
    taken: 0,
    nextPart: 0,
    skippedParts: [],
    ...(previous !== undefined && { previous }),
  };
  const version = await writeCursor(deps.records, cursor, found?.version);
  if (open !== undefined) await removeExcept(deps.objects, source, open.snapshotId, new Set());
  return new IngestSession(cursor, version, deps);
}

/** The last whole snapshot, when one of this query can build on it. */
async function findParent(
  { source, query }: SessionRequest,
  previous: string | undefined,
  { objects }: SessionDeps,
): Promise<SnapshotManifest | undefined> {
  const last = previous === undefined ? undefined : await readManifest(objects, source, previous);
  return last?.indexParts !== undefined && isSameScope(last.query, query) ? last : undefined;
}

/** How far back of the newest timestamp an API is asked for changes: those that it made visible late are among them. */
const FILTER_OVERLAP_MS = 10 * 60_000;

function linkTo(
  parent: SnapshotManifest | undefined,
  { since, sinceParam, maxTasks }: IngestQuery,
  now: number,
): ChainLink {
  const asked = since === undefined ? undefined : resolveSince(since, now);
  const isCut = maxTasks !== undefined;
  // Lists that were cut say nothing of what they did not get to.
  const newest = isCut || parent === undefined ? undefined : seenUpTo(parent);
  const filter = sinceParam === undefined ? undefined : (asked ?? newest);
  return {
    ...NO_LINK,
    ...(parent && {
      parent: parent.snapshotId,
      depth: parent.depth + 1,
      state: parent.state,
      evidence: parent.evidence,
    }),
    ...(parent?.newest !== undefined && { newest: parent.newest }),
    ...(parent?.missed !== undefined && (isCut || asked !== undefined) && { missed: parent.missed }),
    ...(asked !== undefined && { since: new Date(asked).toISOString() }),
    ...(filter !== undefined && { filter: new Date(filter).toISOString() }),
  };
}

/** From when on an API has to be asked for changes, in milliseconds since the epoch. */
function seenUpTo({ newest, missed }: SnapshotManifest): number | undefined {
  const times = [newest, missed].filter((time) => time !== undefined).map((time) => Date.parse(time));
  return newest === undefined ? undefined : Math.min(...times) - FILTER_OVERLAP_MS;
}

/** One that has fetched nothing yet is no loss when another query is asked, such as one with a mended address. */
function isDroppable(open: OpenCursor, query: IngestQuery): boolean {
  return open.taken === 0 && open.nextPart === 0 && !isSameQuery(open.query, query);
}

/** Deletes what lies under a snapshot's prefix but for the keys in `keep`. */
export async function removeExcept(
  objects: ObjectStore,
  source: string,
  snapshotId: string,
  keep: ReadonlySet<string>,
): Promise<void> {
  const manifest = objectKeys.snapshotManifest(source, snapshotId);
  const prefix = manifest.slice(0, manifest.lastIndexOf("/") + 1);
  const stale: string[] = [];
  for await (const { key } of objects.list(prefix)) if (!keep.has(key)) stale.push(key);
  for (const key of stale) await objects.delete(key);
}
