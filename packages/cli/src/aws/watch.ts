import type { Execution } from "@tracemill/aws/control/executions.ts";
import { isTracemillError } from "@tracemill/core/errors.ts";
import { type StepName, stages } from "@tracemill/core/pipeline/stages.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import type { CliContext, CloudHome } from "../context.ts";
import { showProgress } from "../progress.ts";
import { countsLine, Pace } from "./cloud-counts.ts";
import { type RunView, viewRun } from "./run-view.ts";

/** How often a watched run is looked at. Workers report about once a minute, steps when they end. */
const lookEveryMs = 3_000;

/** Least time between two lines of counts. */
const sayEveryMs = 30_000;

/**
 * How long after an execution's end its run may still say that it is running: a stopped execution is noted by a
 * function that an event starts.
 */
const settleMs = 60_000;

export interface Watched {
  run: RunRecord;
  /** `undefined` when the user left before its end. */
  ended: Execution | undefined;
}

type WatchContext = Pick<CliContext, "clock" | "out" | "draining" | "signal">;

/**
 * Shows how an execution goes on until it has ended, or the user leaves (which changes nothing for the run).
 * Faults of a look that may pass are waited out.
 */
export async function watchRun(
  runId: string,
  arn: string,
  cloud: Pick<CloudHome, "executions" | "records">,
  context: WatchContext,
): Promise<Watched> {
  const { clock, draining } = context;
  const shown = new Shown(context);
  let endedAt: number | undefined;
  for (;;) {
    const { view, execution } = await look(runId, arn, cloud, context);
    shown.show(view);
    if (execution !== undefined && execution.status !== "RUNNING") {
      endedAt ??= clock.now();
      if (view.run.status !== "running" || clock.now() - endedAt > settleMs)
        return { run: view.run, ended: execution };
    }
    if (draining.aborted) return { run: view.run, ended: undefined };
    await clock.sleep(lookEveryMs, draining).catch(() => undefined);
  }
}

async function look(
  runId: string,
  arn: string,
  cloud: Pick<CloudHome, "executions" | "records">,
  { clock, draining }: WatchContext,
): Promise<{ view: RunView; execution: Execution | undefined }> {
  for (;;) {
    try {
      const [view, execution] = await Promise.all([viewRun(runId, cloud), cloud.executions.describe(arn)]);
      return { view, execution };
    } catch (error) {
      if (!isTracemillError(error) || !error.retryable || draining.aborted) throw error;
      await clock.sleep(lookEveryMs, draining).catch(() => undefined);
    }
  }
}

const stepNames = stages.flatMap((stage) => (stage.kind === "step" ? [stage.name] : []));

/** Says what is new: each step once, counts when they change. */
class Shown {
  readonly #context: WatchContext;
  readonly #progress: ReturnType<typeof showProgress>;
  readonly #steps = new Set<StepName>();
  readonly #pace = new Pace();
  #said = "";
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(context: WatchContext) {
    this.#context = context;
    // Without a terminal's bar: a run on AWS takes hours, and its log is read afterwards.
    this.#progress = showProgress({ ...context.out, isTty: false }, context.clock);
  }

  show(view: RunView): void {
    for (const name of stepNames) {
      const row = view.steps[name];
      if (row?.status !== "done" || this.#steps.has(name)) continue;
      this.#steps.add(name);
      this.#progress.onEvent({ type: "stage-ended", stage: name, output: row.output, again: false });
    }
    this.#sayCounts(view);
  }

  #sayCounts(view: RunView): void {
    const { out, clock } = this.#context;
    if (view.tally === undefined || view.planned === undefined) return;
    const now = clock.now();
    this.#pace.add(view.tally.ended, now);
    const line = countsLine(view, this.#pace.perSecond);
    if (line === this.#said || now - this.#saidAt < sayEveryMs) return;
    this.#said = line;
    this.#saidAt = now;
    const { tally, planned, failedShards } = view;
    if (out.json) out.event({ type: "progress", ...planned, ...tally, failedShards });
    else out.note(line);
  }
}
