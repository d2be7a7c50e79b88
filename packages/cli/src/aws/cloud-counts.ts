import { formatDuration } from "@tracemill/core/run/duration.ts";
import type { RunView } from "./run-view.ts";

/** The rate is that of the last five minutes: jobs come and go. */
const windowMs = 5 * 60_000;

/** How many trials end in a second, from what was seen. */
export class Pace {
  readonly #seen: { at: number; ended: number }[] = [];

  add(ended: number, at: number): void {
    this.#seen.push({ at, ended });
    while (this.#seen.length > 2 && (this.#seen[0]?.at ?? at) < at - windowMs) this.#seen.shift();
  }

  /** Trials a second; `undefined` before it is known. */
  get perSecond(): number | undefined {
    const [first] = this.#seen;
    const last = this.#seen.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return undefined;
    const rate = ((last.ended - first.ended) * 1_000) / (last.at - first.at);
    return rate > 0 ? rate : undefined;
  }
}

/** `1,204/5,000 trials · 12 m 03 s left · 3.2/s · 1,180 scored, 24 agent-failed · 1.23 USD for models`. */
export function countsLine(view: RunView, perSecond: number | undefined): string {
  const { planned, tally, failedShards } = view;
  const ended = tally?.ended ?? 0;
  const of = planned === undefined ? "no plan yet" : `${number(ended)}/${number(planned.trials)} trials`;
  return [
    of,
    ...paceParts((planned?.trials ?? 0) - ended, perSecond),
    ...tallyParts(tally, failedShards),
  ].join(" · ");
}

function paceParts(left: number, perSecond: number | undefined): string[] {
  if (perSecond === undefined) return [];
  const rate = `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`;
  return left > 0 ? [`${formatDuration((left * 1_000) / perSecond)} left`, rate] : [rate];
}

function tallyParts(tally: RunView["tally"], failedShards: number): string[] {
  const { outcomes = {}, traced = 0, usage } = tally ?? {};
  const some = Object.entries(outcomes).filter(([, count]) => count > 0);
  const byOutcome = some.map(([kind, count]) => `${number(count)} ${kind}`);
  const cost = usage?.costUsd ?? 0;
  return [
    byOutcome.join(", "),
    traced > 0 ? `${number(traced)} to verify` : "",
    failedShards > 0 ? `${number(failedShards)} shards failed` : "",
    cost > 0 ? `${cost.toFixed(2)} USD for models` : "",
  ].filter((part) => part !== "");
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
