import type { OutcomeKind } from "../run/outcome.ts";

/** Distinct reasons that are counted at once; beyond it the rarer half is given up. */
const kept = 1_000;

export interface CountedReason {
  outcome: OutcomeKind;
  /** The first reason of its kind, at most 300 characters. */
  reason: string;
  /** Attempts. */
  count: number;
  /** The first trial that it happened to. */
  trialId: string;
}

/**
 * Counts why attempts failed. Reasons that differ only in numbers, ids and white space are one. Memory is bounded: with
 * more than 2,000 different ones the counts of rare reasons may be too low.
 */
export class ReasonCounter {
  #counts = new Map<string, CountedReason>();

  add(outcome: OutcomeKind, reason: string, trialId: string): void {
    const text = reason.replace(/\s+/g, " ").trim().slice(0, 300);
    const key = `${outcome} ${generalized(text)}`;
    const found = this.#counts.get(key);
    if (found !== undefined) found.count += 1;
    else this.#counts.set(key, { outcome, reason: text, count: 1, trialId });
    if (this.#counts.size > 2 * kept) this.#counts = new Map(this.#byCount().slice(0, kept));
  }

  /** Most frequent first. */
  top(limit: number): CountedReason[] {
    return this.#byCount()
      .slice(0, limit)
      .map(([, counted]) => counted);
  }

  #byCount(): [string, CountedReason][] {
    return [...this.#counts].sort(([, a], [, b]) => b.count - a.count);
  }
}

/** A reason without what differs from one attempt to the next. */
function generalized(reason: string): string {
  return reason.replace(/[0-9a-f]{8,}|\d+(\.\d+)?/gi, "#");
}
