import * as z from "zod";
import { TracemillError } from "../errors.ts";
import { type ClientOptions, createProductionClient, type ProductionClient } from "./client.ts";
import type { IngestQuery } from "./cursor.ts";
import type { RequestDeps } from "./request.ts";
import { MOST_REQUESTS } from "./request-limit.ts";
import { Since } from "./since.ts";

const Positive = z.number().int().min(1);

/** Task statuses, given one by one or comma-separated; each once, in the order given. */
const Statuses = z.array(z.string()).transform((given, context) => {
  const names = given.flatMap((each) => each.split(",")).map((name) => name.trim());
  const statuses = [...new Set(names.filter((name) => name !== ""))];
  if (statuses.length === 0) context.addIssue({ code: "custom", message: "names no status" });
  return statuses;
});

/** What to fetch from a production API, and how. */
export const FetchOptions = z.strictObject({
  baseUrl: z.string(),
  statuses: Statuses.default(["done"]),
  search: z.string().min(1).optional(),
  /** Only tasks that changed since then: a time, or a duration before the start. */
  since: Since.optional(),
  /** The API's own parameter for it; it gets a time in ISO 8601. */
  sinceParam: z
    .string()
    .regex(/^[\w.[\]-]+$/, "wants the name of a query parameter, such as updated_since")
    .optional(),
  /** Take at most this many tasks from the lists. Default: all. */
  maxTasks: Positive.optional(),
  /** Keep tasks without solutions. */
  includeEmpty: z.boolean().default(false),
  /** Most tasks whose solutions are fetched at once, and most requests; fewer while the server has too many. */
  concurrency: Positive.max(64).default(MOST_REQUESTS),
  /** Entries a page. */
  taskPageSize: Positive.default(100),
  solutionPageSize: Positive.default(100),
  /** Least milliseconds between the starts of two requests. */
  sleepMs: z.number().int().min(0).default(0),
  /** Milliseconds for one request. */
  timeoutMs: Positive.default(30_000),
  /** Tries after the first one. */
  maxRetries: z.number().int().min(0).default(5),
  /** The variable that the token came from, for messages. */
  tokenName: z.string().default("TRACEMILL_PROD_API_TOKEN"),
});
export type FetchOptions = z.output<typeof FetchOptions>;
/** As a caller gives them: what has a default may be left out. */
export type FetchInput = z.input<typeof FetchOptions>;

/** `FetchOptions` for an ingest into the stores. */
export const IngestOptions = FetchOptions.extend({
  /** Name under which the snapshots are kept. */
  source: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]*$/i, "wants letters, digits, dot, dash and underscore")
    .default("prod"),
  /** Drop an unfinished snapshot of this source, whatever its query, and begin anew. */
  restart: z.boolean().default(false),
  /** Begin a new chain: fetch everything, whatever the snapshot before has. */
  full: z.boolean().default(false),
});
export type IngestOptions = z.output<typeof IngestOptions>;
export type IngestInput = z.input<typeof IngestOptions>;

export interface FetchDeps extends RequestDeps {
  /** Bearer token. */
  token: string;
}

/** The client that the options describe. @throws TracemillError `invalid-input`. */
export function clientFor(options: FetchOptions, { token, ...deps }: FetchDeps): ProductionClient {
  return createProductionClient({ ...(options satisfies Omit<ClientOptions, "token">), token }, deps);
}

export function toQuery(options: FetchOptions, client: ProductionClient): IngestQuery {
  return {
    baseUrl: client.baseUrl,
    statuses: options.statuses,
    ...(options.search === undefined ? {} : { search: options.search }),
    ...(options.maxTasks === undefined ? {} : { maxTasks: options.maxTasks }),
    includeEmpty: options.includeEmpty,
    taskPageSize: options.taskPageSize,
    ...(options.since === undefined ? {} : { since: options.since }),
    ...(options.sinceParam === undefined ? {} : { sinceParam: options.sinceParam }),
  };
}

/**
 * @throws TracemillError `conflict` that names what differs (also as `context.differing`), when an unfinished ingest
 *   asked something else.
 */
export function assertSameQuery(source: string, open: IngestQuery, asked: IngestQuery): void {
  const keys = differing(open, asked);
  if (keys.length === 0) return;
  const words = keys.map(
    (key) => `${key} ${JSON.stringify(open[key]) ?? "unset"}, now ${JSON.stringify(asked[key]) ?? "unset"}`,
  );
  throw new TracemillError(
    "conflict",
    `source \`${source}\` has an unfinished ingest that asked for something else (${words.join("; ")}): ` +
      "finish it with what it asked for, or drop it with `tracemill ingest --restart`",
    { context: { differing: keys } },
  );
}

export function isSameQuery(a: IngestQuery, b: IngestQuery): boolean {
  return differing(a, b).length === 0;
}

/** What the state of a source depends on, and what only how it is come by does not. */
const ways: readonly (keyof IngestQuery)[] = ["taskPageSize", "since", "sinceParam"];

/** Whether an ingest of one query can build on a snapshot of the other: both speak of the same tasks. */
export function isSameScope(a: IngestQuery, b: IngestQuery): boolean {
  return differing(a, b).every((key) => ways.includes(key));
}

/** Whether the lists of the query name every task that there is. */
export function namesAll({ maxTasks, search, since }: IngestQuery, filter: string | undefined): boolean {
  return maxTasks === undefined && search === undefined && since === undefined && filter === undefined;
}

function differing(a: IngestQuery, b: IngestQuery): (keyof IngestQuery)[] {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])] as (keyof IngestQuery)[];
  return keys.filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
}
