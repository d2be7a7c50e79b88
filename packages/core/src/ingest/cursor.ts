import * as z from "zod";
import { TracemillError } from "../errors.ts";
import { recordKeys } from "../keys.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { parseAs } from "../validation.ts";
import { Evidence } from "./chain/trust.ts";
import { ListPosition } from "./walk.ts";

const Timestamp = z.iso.datetime();
const Count = z.number().int().min(0);

/** What was asked of the source. Two ingests with equal queries are one and the same, interrupted or not. */
export const IngestQuery = z.strictObject({
  /** Origin and path of the API; never its query string, which may hold secrets. */
  baseUrl: z.string(),
  /** Task statuses, listed one after the other in this order. */
  statuses: z.array(z.string()).min(1),
  search: z.string().optional(),
  /** At most this many tasks are taken from the lists. */
  maxTasks: z.number().int().min(1).optional(),
  /** Whether tasks without solutions are kept. */
  includeEmpty: z.boolean(),
  taskPageSize: z.number().int().min(1),
  /** As it was given: a time, or a duration before the start. */
  since: z.string().optional(),
  /** The API's own parameter for it. */
  sinceParam: z.string().optional(),
});
export type IngestQuery = z.infer<typeof IngestQuery>;

/** Running counts of an ingest; those of a finished one are in its manifest. */
export const IngestCounts = z.strictObject({
  /** Tasks kept in this snapshot: those that are new, and those that have changed. */
  rows: Count,
  /** Solutions kept in this snapshot. */
  solutions: Count,
  added: Count.default(0),
  changed: Count.default(0),
  /** Tasks that are as the snapshot before has them, fetched or not. */
  unchanged: Count.default(0),
  /** Of those, the ones that were fetched to find that out. */
  checked: Count.default(0),
  /** Tasks that have left the state. */
  deleted: Count.default(0),
  /** Solutions by which tasks that have changed have become fewer. */
  vanished: Count.default(0),
  /** Tasks left alone because they changed last before `--since`. */
  older: Count.default(0),
  /** Tasks that the lists named again. */
  duplicates: Count,
  /** Tasks left out for want of solutions. */
  empty: Count,
  /** Tasks and solutions put aside because they do not fit. */
  rejects: Count,
  /** Bytes of all stored parts, rejects included. */
  bytes: Count,
  /** HTTP requests, retries among them. */
  requests: Count,
  retries: Count,
});
export type IngestCounts = z.infer<typeof IngestCounts>;

/** The place in the source up to which everything is stored. */
export const ResumePoint = z.discriminatedUnion("status", [
  z.strictObject({ status: z.literal("start") }),
  z.strictObject({
    status: z.literal("within"),
    /** Index into the query's statuses. */
    list: Count,
    position: ListPosition,
    /** Entries of that page that are dealt with. */
    done: Count,
  }),
  /** The lists were read to their end, and the tasks that they do not name are being asked for. */
  z.strictObject({ status: z.literal("listed") }),
  /** All was read; what is missing is the manifest. */
  z.strictObject({ status: z.literal("end") }),
]);
export type ResumePoint = z.infer<typeof ResumePoint>;

/** How a snapshot goes on from the one before. */
export const ChainLink = z.strictObject({
  /** The snapshot that it builds on; absent for a full one. */
  parent: z.string().optional(),
  /** Snapshots between it and the full one that its chain begins with; 0 for a full one. */
  depth: Count,
  /** What `--since` meant. */
  since: Timestamp.optional(),
  /** What the API was asked for by its own parameter: what changed since then. */
  filter: Timestamp.optional(),
  /** The latest state, as of this snapshot. */
  state: z.strictObject({ tasks: Count, solutions: Count }),
  evidence: Evidence,
  /** The latest timestamp of a list entry, no later than this machine's clock. */
  newest: Timestamp.optional(),
  /** The earliest timestamp of a task that the API would not give: what changed since then is to be asked for again. */
  missed: Timestamp.optional(),
});
export type ChainLink = z.infer<typeof ChainLink>;

/** The link of a snapshot that builds on none. */
export const NO_LINK: ChainLink = {
  depth: 0,
  state: { tasks: 0, solutions: 0 },
  evidence: { shown: 0, hidden: 0 },
};

const base = {
  schemaVersion: z.literal(1),
  source: z.string(),
  snapshotId: z.string(),
  query: IngestQuery,
  startedAt: Timestamp,
  updatedAt: Timestamp,
  counts: IngestCounts,
};

/** Where an ingest of a source stands: one record a source. */
export const IngestCursor = z.discriminatedUnion("status", [
  z.strictObject({
    ...base,
    status: z.literal("open"),
    /** Who writes this snapshot; a later process takes it over under its own name. */
    owner: z.string(),
    link: ChainLink.default(NO_LINK),
    resume: ResumePoint,
    /** Tasks taken from the lists, to hold against `maxTasks`. */
    taken: Count,
    /** Numbers of the next part, and of those below it that belong to no snapshot. */
    nextPart: Count,
    skippedParts: z.array(Count),
    /** The last snapshot of this source that was completed. */
    previous: z.string().optional(),
  }),
  z.strictObject({ ...base, status: z.literal("complete") }),
]);
export type IngestCursor = z.infer<typeof IngestCursor>;
export type OpenCursor = Extract<IngestCursor, { status: "open" }>;

export const NO_COUNTS: IngestCounts = {
  rows: 0,
  solutions: 0,
  added: 0,
  changed: 0,
  unchanged: 0,
  checked: 0,
  deleted: 0,
  vanished: 0,
  older: 0,
  duplicates: 0,
  empty: 0,
  rejects: 0,
  bytes: 0,
  requests: 0,
  retries: 0,
};

/** The cursor of a source with its version. @throws TracemillError `storage-corrupt` when it does not parse. */
export async function readCursor(
  records: Pick<RecordStore, "get">,
  source: string,
): Promise<{ version: number; data: IngestCursor } | undefined> {
  const stored = await records.get(recordKeys.cursor(source));
  if (stored === undefined) return undefined;
  const data = parseAs(IngestCursor, stored.data, `cursor of source \`${source}\``, "storage-corrupt");
  return { version: stored.version, data };
}

/**
 * Writes the cursor over the version that was read.
 * @returns the new version.
 * @throws TracemillError `conflict` when another process has written it since.
 */
export async function writeCursor(
  records: Pick<RecordStore, "put">,
  cursor: IngestCursor,
  over: number | undefined,
): Promise<number> {
  const condition = over === undefined ? "absent" : { version: over };
  const version = await records.put(recordKeys.cursor(cursor.source), IngestCursor.parse(cursor), condition);
  if (version !== undefined) return version;
  throw new TracemillError(
    "conflict",
    `another ingest of source \`${cursor.source}\` is at work; wait for it to end, or give this one another \`--source\``,
  );
}
