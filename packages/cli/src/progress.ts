import type { PipelineEvent } from "@tracemill/core/pipeline/deps.ts";
import type { StageName } from "@tracemill/core/pipeline/stages.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import { SingleBar } from "cli-progress";
import type { Output } from "./output.ts";

/** Least time between two plain progress lines. */
const plainEveryMs = 2_000;

/** Shows a run's events as they come: a bar for a person, plain lines for a log, JSON lines for a program. */
export interface Progress {
  onEvent(event: PipelineEvent): void;
  /** Takes the bar away, so that other lines can be written. */
  stop(): void;
}

export function showProgress(out: Output, clock: Clock): Progress {
  if (out.json) return { onEvent: (event) => out.event(event), stop: () => {} };
  const counts = new Counts(clock);
  return out.isTty ? barProgress(out, counts) : plainProgress(out, counts, clock);
}

/** Counts of a run so far, as progress shows them. */
class Counts {
  total = 0;
  found = 0;
  ended = 0;
  costUsd = 0;
  readonly outcomes = new Map<string, number>();
  readonly #clock: Clock;
  #firstAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(event: PipelineEvent): void {
    if (event.type === "planned") this.total = event.trials;
    if (event.type === "trial-found-ended") this.found += 1;
    if (event.type === "attempt-started") this.#firstAt ??= this.#clock.now();
    if (event.type !== "attempt-ended") return;
    this.costUsd += event.costUsd;
    this.outcomes.set(event.outcome.kind, (this.outcomes.get(event.outcome.kind) ?? 0) + 1);
    if (event.final) this.ended += 1;
  }

  get done(): number {
    return this.found + this.ended;
  }

  line(): string {
    const parts = [[...this.outcomes].map(([kind, n]) => `${n} ${kind}`).join(", ") || "none ended yet"];
    if (this.found > 0) parts.push(`${this.found} done before`);
    const elapsed = this.#clock.now() - (this.#firstAt ?? this.#clock.now());
    if (this.ended > 0 && elapsed > 0) {
      parts.push(`${((this.ended * 1_000) / elapsed).toFixed(1)}/s`);
      const left = Math.max(0, this.total - this.done);
      if (left > 0) parts.push(`${formatDuration((left * elapsed) / this.ended)} left`);
    }
    if (this.costUsd > 0) parts.push(`${this.costUsd.toFixed(2)} USD`);
    return parts.join(" · ");
  }
}

type StageEnd = Extract<PipelineEvent, { type: "stage-ended" }>;

/** What a stage came to, in words; `undefined` when it had nothing to do. */
const stageFacts: Record<StageName, (output: StageEnd["output"]) => string | undefined> = {
  ingest: ({ rows, snapshotId }) =>
    rows === undefined ? undefined : `${rows} rows in snapshot ${snapshotId}`,
  prepare: ({ tasks, repeated }) =>
    `${tasks} tasks${repeated === 0 ? "" : `, ${repeated} repeated ones taken once`}`,
  plan: ({ trials, shards, excluded }) =>
    `${trials} trials in ${shards} shards${excluded === 0 ? "" : `, ${excluded} pairs of task and agent left out`}`,
  trace: () => "the agents' part is done",
  evaluate: () => "everything is verified",
  export: ({ dataset }) => (dataset === undefined ? "results written" : "results and dataset written"),
};

function sayStage(out: Output, event: StageEnd): void {
  const facts = stageFacts[event.stage](event.output);
  if (facts !== undefined)
    out.note(`${event.stage.padEnd(9)} ${facts}${event.again ? " (done before)" : ""}`);
}

function barProgress(out: Output, counts: Counts): Progress {
  let bar: SingleBar | undefined;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const onEvent = (event: PipelineEvent): void => {
    counts.add(event);
    if (event.type === "stage-ended") {
      if (event.stage === "trace") stop();
      sayStage(out, event);
    }
    if (event.type === "stage-started" && event.stage === "trace" && counts.total > 0) {
      bar = new SingleBar({
        format: "{bar} {value}/{total} · {line}",
        barsize: 24,
        hideCursor: true,
        clearOnComplete: true,
        stream: process.stderr,
      });
      bar.start(counts.total, counts.done, { line: counts.line() });
    }
    bar?.update(counts.done, { line: counts.line() });
  };
  return { onEvent, stop };
}

function plainProgress(out: Output, counts: Counts, clock: Clock): Progress {
  let saidAt = clock.now();
  const onEvent = (event: PipelineEvent): void => {
    counts.add(event);
    if (event.type === "stage-ended") sayStage(out, event);
    if (event.type !== "attempt-ended" || clock.now() - saidAt < plainEveryMs) return;
    saidAt = clock.now();
    out.note(`${counts.done}/${counts.total} · ${counts.line()}`);
  };
  return { onEvent, stop: () => {} };
}
