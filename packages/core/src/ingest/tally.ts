import type { ClientStats } from "./client.ts";
import type { ChainLink, IngestCounts } from "./cursor.ts";
import type { FetchedRow } from "./fetched-row.ts";

/** The counts with one more task of the source in them. */
export function tally(counts: IngestCounts, row: FetchedRow): IngestCounts {
  switch (row.kind) {
    case "row":
      return {
        ...counts,
        rows: counts.rows + 1,
        solutions: counts.solutions + row.solutions,
        rejects: counts.rejects + row.rejects.length,
        added: counts.added + (row.replaces === undefined ? 1 : 0),
        changed: counts.changed + (row.replaces === undefined ? 0 : 1),
        vanished: counts.vanished + Math.max(0, (row.replaces ?? 0) - row.solutions),
      };
    case "unchanged":
      return {
        ...counts,
        unchanged: counts.unchanged + 1,
        checked: counts.checked + (row.looked ? 1 : 0),
      };
    case "empty":
      return { ...counts, empty: counts.empty + 1 };
    case "gone":
      return { ...counts, deleted: counts.deleted + 1 };
    case "older":
      return { ...counts, older: counts.older + 1 };
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

/**
 * The link of a snapshot with one more task in it.
 * @param now milliseconds since the epoch. A source whose clock is ahead must not move `newest` beyond it: what
 *   changes until then would not be asked for.
 */
export function linkWith(link: ChainLink, row: FetchedRow, now: number): ChainLink {
  if (row.kind === "duplicate" || row.kind === "older") return link;
  const { evidence, newest } = link;
  // Where older tasks are left alone, the latest timestamp says nothing of what changed before it.
  const time =
    row.time === undefined || link.since !== undefined
      ? undefined
      : new Date(Math.min(row.time, now)).toISOString();
  return {
    ...link,
    state: stateWith(link.state, row),
    ...(row.evidence && { evidence: { ...evidence, [row.evidence]: evidence[row.evidence] + 1 } }),
    ...(time !== undefined && (newest === undefined || newest < time) && { newest: time }),
    ...missedWith(link, row, now),
  };
}

function missedWith({ missed }: ChainLink, row: FetchedRow, now: number): Pick<ChainLink, "missed"> {
  if (row.kind !== "rejected" || row.missed === undefined) return {};
  const time = new Date(Math.min(row.missed, now)).toISOString();
  return missed === undefined || time < missed ? { missed: time } : {};
}

function stateWith({ tasks, solutions }: ChainLink["state"], row: FetchedRow): ChainLink["state"] {
  if (row.kind === "gone") return { tasks: tasks - 1, solutions: solutions - row.replaces };
  if (row.kind !== "row") return { tasks, solutions };
  const added = row.replaces === undefined ? 1 : 0;
  return { tasks: tasks + added, solutions: solutions + row.solutions - (row.replaces ?? 0) };
}
