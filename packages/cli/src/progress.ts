import type { PipelineEvent } from "@tracemill/core/pipeline/deps.ts";
import type { StageName } from "@tracemill/core/pipeline/stages.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import { SingleBar } from "cli-progress";
import type { Output } from "./output.ts";
import { Counts } from "./progress-counts.ts";

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

type StageEnd = Extract<PipelineEvent, { type: "stage-ended" }>;

/** What a stage came to, in words; `undefined` when it had nothing to do. */
const stageFacts: Record<StageName, (output: StageEnd["output"], counts: Counts) => string | undefined> = {
  ingest: ({ rows, snapshotId }) =>
    rows === undefined ? undefined : `${rows} rows in snapshot ${snapshotId}`,
  prepare: ({ tasks, repeated }) =>
    `${tasks} tasks${repeated === 0 ? "" : `, ${repeated} repeated ones taken once`}`,
  plan: ({ trials, shards, excludedBy }) =>
    [`${trials} trials in ${shards} shards`, ...leftOut(excludedBy)].join("\n"),
  trace: (_, { done, total }) => `${done < total ? `${done} of ${total}` : total} trials`,
  evaluate: (_, { outcomes }) => outcomes || undefined,
  export: ({ dataset }) => (dataset === undefined ? "results written" : "results and dataset written"),
};

/** Reasons are few in kind; a log gets the most frequent ones. */
const shownReasons = 5;

/** Why pairs of task and agent are not in the plan, a line each. */
function leftOut(excludedBy: unknown): string[] {
  const reasons = Object.entries((excludedBy ?? {}) as Record<string, number>).toSorted(
    (a, b) => b[1] - a[1],
  );
  return reasons.slice(0, shownReasons).map(([reason, count]) => `left out  ${count} × ${reason}`);
}

function sayStage(out: Output, event: StageEnd, counts: Counts): void {
  const facts = stageFacts[event.stage](event.output, counts);
  if (facts === undefined) return;
  const [first, ...more] = facts.split("\n");
  const again = event.again ? " (done before)" : "";
  out.note([`${event.stage.padEnd(9)} ${first}${again}`, ...(event.again ? [] : more)].join("\n"));
}

function sayStopping(out: Output, { reason }: Extract<PipelineEvent, { type: "stopping" }>): void {
  out.note(`stopping: ${reason}\nfinishing what is in flight; Ctrl-C twice stops at once`);
}

function barProgress(out: Output, counts: Counts): Progress {
  const bar = new SingleBar({
    format: "{bar} {line}",
    barsize: 20,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    stream: process.stderr,
  });
  const live = {
    hide: () => bar.stop(),
    show: () => bar.start(counts.total, counts.done, { line: counts.line() }),
  };
  const stop = (): void => {
    if (out.live === live) live.hide();
    out.live = undefined;
  };
  const onEvent = (event: PipelineEvent): void => {
    counts.add(event);
    if (event.type === "stage-started" && event.stage === "trace" && counts.total > 0) {
      out.live = live;
      live.show();
    }
    if (event.type === "stage-ended") {
      if (event.stage === "trace") stop();
      sayStage(out, event, counts);
    }
    if (event.type === "stopping") sayStopping(out, event);
    if (out.live === live) bar.update(counts.done, { line: counts.line() });
  };
  return { onEvent, stop };
}

function plainProgress(out: Output, counts: Counts, clock: Clock): Progress {
  let saidAt = clock.now();
  const onEvent = (event: PipelineEvent): void => {
    counts.add(event);
    if (event.type === "stage-ended") sayStage(out, event, counts);
    if (event.type === "stopping") sayStopping(out, event);
    if (event.type !== "attempt-ended" || clock.now() - saidAt < plainEveryMs) return;
    saidAt = clock.now();
    out.note(counts.line());
  };
  return { onEvent, stop: () => {} };
}
