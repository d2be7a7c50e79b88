import type { IngestCounts } from "@tracemill/core/ingest/cursor.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import type { CliContext } from "./context.ts";

/** Least time between two progress lines. */
const everyMs = 2_000;

/** `1,204 tasks, 3,310 solutions · 12 empty · 3 put aside`: what an ingest came to, zeros left out. */
export function countsText(counts: IngestCounts): string {
  const { rows, solutions, empty, older, duplicates, rejects, requests, retries } = counts;
  const parts = [`${number(rows)} tasks, ${number(solutions)} solutions`];
  if (empty > 0) parts.push(`${number(empty)} without solutions`);
  if (older > 0) parts.push(`${number(older)} older`);
  if (duplicates > 0) parts.push(`${number(duplicates)} listed twice`);
  if (rejects > 0) parts.push(`${number(rejects)} put aside`);
  parts.push(`${number(requests)} requests${retries > 0 ? ` (${number(retries)} repeated)` : ""}`);
  return parts.join(" · ");
}

/** `12 added, 3 changed, 9,985 unchanged, 1 deleted`: what an ingest found since the snapshot before. */
export function changesText({ added, changed, unchanged, deleted, vanished }: IngestCounts): string {
  const parts = [`${number(added)} added, ${number(changed)} changed`];
  if (vanished > 0) parts.push(`(${number(vanished)} solutions fewer)`);
  return `${parts.join(" ")}, ${number(unchanged)} unchanged, ${number(deleted)} deleted`;
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

/** Says on stderr, now and then, how far an ingest is, at what rate, and how long it will take when that is known. */
export function showCounts(
  { out, clock }: Pick<CliContext, "out" | "clock">,
  maxTasks: number | undefined,
): (counts: IngestCounts) => void {
  const startedAt = clock.now();
  let saidAt = startedAt;
  let first: number | undefined;
  return (counts) => {
    const { rows, empty, rejects, unchanged, deleted, older } = counts;
    const taken = rows + empty + rejects + unchanged + deleted + older;
    // An ingest that goes on begins with the counts of the one before; only what is new makes the rate.
    first ??= taken - 1;
    const now = clock.now();
    if (now - saidAt < everyMs) return;
    saidAt = now;
    const perMs = (taken - first) / (now - startedAt);
    const left = maxTasks === undefined || perMs === 0 ? undefined : (maxTasks - taken) / perMs;
    const eta = left === undefined || left < 1_000 ? "" : ` · at most ${formatDuration(left)} left`;
    const known = unchanged > 0 ? ` · ${number(unchanged)} unchanged` : "";
    out.note(`${countsText(counts)}${known} · ${(perMs * 1_000).toFixed(1)}/s${eta}`);
  };
}
