import { isTracemillError, messageOf } from "@tracemill/core/errors.ts";
import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import { fanOuts, type ShardReport, type StepOutput } from "@tracemill/core/pipeline/handlers.ts";
import { readPlan } from "@tracemill/core/pipeline/plan-run.ts";
import { reportShard } from "@tracemill/core/pipeline/shard-report.ts";
import { readStage, runStep } from "@tracemill/core/pipeline/stage-record.ts";
import { type FanOutName, legs, type StepName } from "@tracemill/core/pipeline/stages.ts";
import type { Plan, Shard } from "@tracemill/core/run/plan.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { readRun, setRunState } from "@tracemill/core/run/runs.ts";
import pMap from "p-map";

/** How long to wait before looking again at trials that another process holds. */
const busyPollMs = 500;

/** What a run came to in this process. */
export interface Drive {
  run: RunRecord;
  outputs: Partial<Record<StepName, StepOutput>>;
}

/**
 * Walks the pipeline's stages for one run on this machine. Everything that is done already is passed over, so
 * calling it again goes on where an earlier process stopped; two processes share the work. When it returns or
 * throws, nothing of it is at work any more.
 * @throws what is no attempt's outcome (a full disk, a source that refuses), once all that was in flight has ended.
 */
export async function driveRun(runId: string, deps: PipelineDeps): Promise<Drive> {
  const { status } = await readRun(runId, deps.records);
  await setRunState(runId, { status: "running" }, deps.records);
  const outputs: Drive["outputs"] = {};
  try {
    // Unless it was finished, trials may have ended since the last export: it is brought up to date.
    return await walk(runId, outputs, status !== "finished", deps);
  } catch (error) {
    if (isInterruption(error, deps)) return stop(runId, "interrupted", outputs, deps);
    await stop(runId, messageOf(error), outputs, deps).catch(() => undefined);
    throw error;
  }
}

/** A step that was stopped on request ends with an error; for the run that is no failure. */
function isInterruption(error: unknown, { draining, signal }: PipelineDeps): boolean {
  if (!draining.aborted && !signal.aborted) return false;
  return isTracemillError(error, "cancelled") || (error instanceof Error && error.name === "AbortError");
}

async function walk(
  runId: string,
  outputs: Drive["outputs"],
  exportAgain: boolean,
  deps: PipelineDeps,
): Promise<Drive> {
  // Steps go on where they were stopped, so that one of them need not be finished when a run is drained.
  const stepDeps = { ...deps, signal: AbortSignal.any([deps.signal, deps.draining]) };
  let worked = exportAgain;
  for (const leg of legs()) {
    if (deps.draining.aborted) return stop(runId, "interrupted", outputs, deps);
    if (leg.kind === "step") {
      const again = leg.name === "export" && worked;
      outputs[leg.name] = await driveStep(runId, leg.name, outputs, again, stepDeps);
      continue;
    }
    const done = await driveShards(runId, leg.names, deps);
    worked ||= done.worked;
    if (done.skipped > 0) return stop(runId, stopReason(deps), outputs, deps);
  }
  const dataset = outputs.export?.dataset;
  const finishedAt = new Date(deps.clock.now()).toISOString();
  const named = typeof dataset === "string" ? { dataset } : {};
  const run = await setRunState(runId, { status: "finished", finishedAt, ...named }, deps.records);
  return { run, outputs };
}

function stopReason(deps: PipelineDeps): string {
  if (deps.draining.aborted || deps.signal.aborted) return "interrupted";
  return deps.budget.exceeded(deps.clock.now()) ?? "interrupted";
}

async function stop(
  runId: string,
  reason: string,
  outputs: Drive["outputs"],
  deps: PipelineDeps,
): Promise<Drive> {
  const stoppedAt = new Date(deps.clock.now()).toISOString();
  const run = await setRunState(runId, { status: "stopped", stoppedAt, reason }, deps.records);
  return { run, outputs };
}

async function driveStep(
  runId: string,
  name: StepName,
  outputs: Drive["outputs"],
  again: boolean,
  deps: PipelineDeps,
): Promise<StepOutput> {
  const done = !again && (await readStage(runId, name, deps))?.row.status === "done";
  if (!done) deps.onEvent({ type: "stage-started", stage: name });
  const { output, found } = await runStep(runId, name, outputs, deps, again);
  deps.onEvent({ type: "stage-ended", stage: name, output, again: found });
  if (name === "plan") announcePlan(await readPlan(runId, deps.objects), deps);
  return output;
}

function announcePlan({ tasks, trials, excluded, shards }: Plan, deps: PipelineDeps): void {
  deps.onEvent({ type: "planned", tasks, trials, excluded, shards: shards.length });
}

/** A shard, and the trials of it that were reported as ended, when it is looked at more than once. */
interface Pending {
  shard: Shard;
  reported?: Set<string>;
}

interface Progress {
  /** Trials left undone since the run is stopping. */
  skipped: number;
  worked: boolean;
}

/**
 * Takes every shard through the chain, again and again while other processes hold some of its trials. After a
 * failure that is no attempt's outcome nothing new is begun, and it is thrown once the rest has ended.
 */
async function driveShards(
  runId: string,
  names: readonly FanOutName[],
  deps: PipelineDeps,
): Promise<Progress> {
  await deps.budget.addEarlier(runId, deps.records);
  const failures = new Failures(deps);
  const shardDeps = failures.watched(deps);
  const progress: Progress = { skipped: 0, worked: false };
  const { shards } = await readPlan(runId, deps.objects);
  for (const name of names) deps.onEvent({ type: "stage-started", stage: name });
  for (let pending: Pending[] = shards.map((shard) => ({ shard })); pending.length > 0; ) {
    const busy: Pending[] = [];
    const work = async (each: Pending): Promise<void> => {
      const held = await failures.keep(driveShard(runId, each, names, progress, shardDeps));
      if (held !== undefined) busy.push(held);
    };
    await pMap(pending, work, { concurrency: deps.spec.concurrency });
    failures.throwFirst();
    if (progress.skipped > 0 || busy.length === 0) break;
    await deps.clock.sleep(busyPollMs, AbortSignal.any([deps.signal, deps.draining]));
    pending = busy;
  }
  for (const name of names)
    deps.onEvent({ type: "stage-ended", stage: name, output: {}, again: !progress.worked });
  return progress;
}

/** @returns the shard, when some of its trials are another process's. */
async function driveShard(
  runId: string,
  { shard, reported = new Set() }: Pending,
  names: readonly FanOutName[],
  progress: Progress,
  deps: PipelineDeps,
): Promise<Pending | undefined> {
  if (deps.draining.aborted) {
    progress.skipped += shard.trials;
    return undefined;
  }
  let worked = false;
  const onEvent: PipelineDeps["onEvent"] = (event) => {
    if (event.type === "attempt-started" || event.type === "attempt-ended") worked = true;
    if (event.type === "trial-found-ended" && reported.has(event.trialId)) return;
    if (event.type === "trial-found-ended" || (event.type === "attempt-ended" && event.final))
      reported.add(event.trialId);
    deps.onEvent(event);
  };
  let report: ShardReport | undefined;
  for (const name of names) report = await fanOuts[name](runId, shard, { ...deps, onEvent });
  progress.worked ||= worked;
  // What `report` and `show` go by while the run is at work; a shard that was done before has its row.
  if (worked) await reportShard(shard, { ...deps, runId });
  progress.skipped += report?.skipped ?? 0;
  return report !== undefined && report.busy > 0 ? { shard, reported } : undefined;
}

/** Failures that are no attempt's outcome. The first one drains the run, so that nothing new is begun. */
class Failures {
  readonly #deps: PipelineDeps;
  readonly #drain = new AbortController();
  #first: { error: unknown } | undefined;

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

  /** The same, with each piece of work watched and the draining that a failure causes. */
  watched(deps: PipelineDeps): PipelineDeps {
    const draining = AbortSignal.any([deps.draining, this.#drain.signal]);
    const limit: PipelineDeps["limit"] = (work) =>
      deps.limit(async () => {
        try {
          return await work();
        } catch (error) {
          this.#add(error);
          throw error;
        }
      });
    return { ...deps, draining, limit };
  }

  /** What `work` gives; nothing when it fails. */
  async keep<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      this.#add(error);
      return undefined;
    }
  }

  #add(error: unknown): void {
    if (this.#first !== undefined) return;
    this.#first = { error };
    this.#drain.abort();
    this.#deps.onEvent({ type: "stopping", reason: messageOf(error) });
  }

  throwFirst(): void {
    if (this.#first !== undefined) throw this.#first.error;
  }
}
