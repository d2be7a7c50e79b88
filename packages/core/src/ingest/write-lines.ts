import { parseAs } from "../validation.ts";
import { type IngestCounts, NO_COUNTS } from "./cursor.ts";
import type { IngestReject } from "./manifest.ts";
import { clientFor, type FetchDeps, type FetchInput, FetchOptions } from "./options.ts";
import { fetchRows, type RowQuery } from "./rows.ts";
import { filterBy, resolveSince } from "./since.ts";
import { tally, withRequests } from "./tally.ts";

export interface WriteLinesDeps extends FetchDeps {
  /** Takes one row, a JSON text without its line end. */
  write(line: string): Promise<void>;
  /** Takes what was put aside. */
  reject(reject: IngestReject): Promise<void>;
  onProgress?(counts: IngestCounts): void;
}

/**
 * Fetches into a list of lines instead of a snapshot: `{"task", "solutions", "fetched_at"}`, one task once.
 * Nothing is kept for a later run to go on with.
 * @returns the counts; `bytes` are those of the lines with their ends.
 */
export async function writeLines(input: FetchInput, deps: WriteLinesDeps): Promise<IngestCounts> {
  const options = parseAs(FetchOptions, input, "ingest options");
  const client = clientFor(options, deps);
  let counts = NO_COUNTS;
  for await (const row of fetchRows(rowQuery(options, deps.clock.now()), { client, clock: deps.clock })) {
    counts = withRequests(tally(counts, row), NO_COUNTS, client.stats);
    if (row.kind === "row") {
      await deps.write(row.line);
      counts = { ...counts, bytes: counts.bytes + Buffer.byteLength(row.line) + 1 };
    }
    if (row.kind === "row" || row.kind === "rejected") {
      for (const reject of row.rejects) await deps.reject(reject);
    }
    deps.onProgress?.(counts);
  }
  return withRequests(counts, NO_COUNTS, client.stats);
}

function rowQuery({ since, sinceParam, ...options }: FetchOptions, now: number): RowQuery {
  const sinceMs = since === undefined ? undefined : resolveSince(since, now);
  const iso = sinceMs === undefined ? undefined : new Date(sinceMs).toISOString();
  return { ...options, sinceMs, filter: filterBy(sinceParam, iso), complete: false };
}
