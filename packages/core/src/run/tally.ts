import type { TrialEvent } from "../trial/deps.ts";
import type { Outcome } from "./outcome.ts";
import type { Tally } from "./shard-record.ts";
import type { TrialRecord, Usage } from "./trial.ts";
import { addUsage, noUsage } from "./usage.ts";

export function emptyTally(): Tally {
  return { ended: 0, traced: 0, attempts: 0, outcomes: {}, usage: noUsage };
}

export function addTallies(a: Tally, b: Tally): Tally {
  const outcomes = { ...a.outcomes };
  for (const [kind, count] of Object.entries(b.outcomes) as [Outcome["kind"], number][])
    outcomes[kind] = (outcomes[kind] ?? 0) + count;
  return {
    ended: a.ended + b.ended,
    traced: a.traced + b.traced,
    attempts: a.attempts + b.attempts,
    outcomes,
    usage: addUsage(a.usage, b.usage),
  };
}

/** What one trial's row adds to a tally. */
function tallyOf(row: TrialRecord): Tally {
  const tally = emptyTally();
  for (const { outcome, usage } of row.attempts) countAttempt(tally, outcome, usage);
  if (row.status === "ended") tally.ended = 1;
  if (row.status === "traced") tally.traced = 1;
  return tally;
}

function countAttempt(tally: Tally, { kind }: Outcome, usage: Usage = noUsage): void {
  tally.attempts += 1;
  tally.outcomes[kind] = (tally.outcomes[kind] ?? 0) + 1;
  tally.usage = addUsage(tally.usage, usage);
}

type EndedRow = Extract<TrialRecord, { status: "ended" }>;

/** Counts a shard while it is worked on: its trials' rows at first, then what happens to them. */
export class ShardMeter {
  readonly #done: Tally;
  /** Agents that are done, with what they used, until their attempt ends and counts it. */
  readonly #traced = new Map<string, Usage>();
  readonly #ended = new Set<string>();

  /** @param isToReopen whether an ended trial is to be begun again: it has something left to do. */
  constructor(rows: Iterable<TrialRecord>, isToReopen: (row: EndedRow) => boolean = () => false) {
    let done = emptyTally();
    for (const row of rows) {
      if (row.status === "traced") this.#traced.set(row.trialId, row.trace.usage ?? noUsage);
      if (row.status === "ended" && !isToReopen(row)) this.#ended.add(row.trialId);
      done = addTallies(done, tallyOf(row));
    }
    this.#done = done;
  }

  onEvent(event: TrialEvent): void {
    if (event.type === "attempt-started") this.#ended.delete(event.trialId);
    if (event.type === "attempt-traced") this.#traced.set(event.trialId, event.usage ?? noUsage);
    if (event.type === "trial-found-ended") this.#ended.add(event.trialId);
    if (event.type !== "attempt-ended") return;
    this.#traced.delete(event.trialId);
    countAttempt(this.#done, event.outcome, event.usage);
    if (event.final) this.#ended.add(event.trialId);
  }

  get tally(): Tally {
    let { usage } = this.#done;
    for (const used of this.#traced.values()) usage = addUsage(usage, used);
    return {
      ...this.#done,
      outcomes: { ...this.#done.outcomes },
      usage,
      ended: this.#ended.size,
      traced: this.#traced.size,
    };
  }
}
