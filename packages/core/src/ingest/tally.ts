import type { ClientStats } from "./client.ts";
import type { IngestCounts } from "./cursor.ts";
import type { FetchedRow } from "./rows.ts";

/** The counts with one more entry of the source in them. */
export function tally(counts: IngestCounts, row: FetchedRow): IngestCounts {
  switch (row.kind) {
    case "row":
      return {
        ...counts,
        rows: counts.rows + 1,
        solutions: counts.solutions + row.solutions,
        rejects: counts.rejects + row.rejects.length,
      };
    case "empty":
      return { ...counts, empty: counts.empty + 1 };
    case "duplicate":
      return { ...counts, duplicates: counts.duplicates + 1 };
    case "rejected":
      return { ...counts, rejects: counts.rejects + row.rejects.length };
  }
}

/** The counts with what the client has sent since `before`. */
export function withRequests(counts: IngestCounts, before: IngestCounts, stats: ClientStats): IngestCounts {
  return {
    ...counts,
    requests: before.requests + stats.requests,
    retries: before.retries + stats.retries,
  };
}
