import { messageOf } from "@tracemill/core/errors.ts";
import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import { fanOuts, type ShardReport, type StepOutput } from "@tracemill/core/pipeline/handlers.ts";
import { readPlan } from "@tracemill/core/pipeline/plan-run.ts";
import { readStage, runStep } from "@tracemill/core/pipeline/stage-record.ts";
import { type FanOutName, legs, type StepName } from "@tracemill/core/pipeline/stages.ts";
import type { Plan, Shard } from "@tracemill/core/run/plan.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { setRunState } from "@tracemill/core/run/runs.ts";
import pMap from "p-map";

/** How long to wait before looking again at trials that another process holds. */
const busyPollMs = 500;

/** What a run came to in this process. */
export interface Drive {
  run: RunRecord;
  outputs: Partial<Record<StepName, StepOutput>>;
  /** Whether this process had anything to do. */
  worked: boolean;
}

/**
 * Walks the pipeline's stages for one run on this machine. Everything that is done already is passed over, so
 * calling it again goes on where an earlier process stopped; two processes share the work.
 */
export async function driveRun(runId: string, deps: PipelineDeps): Promise<Drive> {
  await setRunState(runId, { status: "running" }, deps.records);
  try {
    return await walk(runId, deps);
  } catch (error) {
    await stop(runId, messageOf(error), {}, deps).catch(() => undefined);
    throw error;
  }
}

async function walk(runId: string, deps: PipelineDeps): Promise<Drive> {
  const outputs: Drive["outputs"] = {};
  let worked = false;
  for (const leg of legs()) {
    if (deps.draining.aborted) return stop(runId, "interrupted", outputs, deps);
    if (leg.kind === "step") {
      const again = leg.name === "export" && worked;
      const { output, found } = await driveStep(runId, leg.name, outputs, again, deps);
      outputs[leg.name] = output;
      worked ||= !found;
      continue;
    }
    const left = await driveShards(runId, leg.names, deps);
    worked ||= left.worked;
    if (left.skipped > 0) return stop(runId, stopReason(deps), outputs, deps);
  }
  const dataset = outputs.export?.dataset;
  const run = await setRunState(
    runId,
    {
      status: "finished",
      finishedAt: new Date(deps.clock.now()).toISOString(),
      ...(typeof dataset === "string" ? { dataset } : {}),
    },
    deps.records,
  );
  return { run, outputs, worked };
}

function stopReason(deps: PipelineDeps): string {
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
  return { run, outputs, worked: true };
}

async function driveStep(
  runId: string,
  name: StepName,
  outputs: Drive["outputs"],
  again: boolean,
  deps: PipelineDeps,
): Promise<{ output: StepOutput; found: boolean }> {
  const done = !again && (await readStage(runId, name, deps))?.row.status === "done";
  if (!done) deps.onEvent({ type: "stage-started", stage: name });
  const result = await runStep(runId, name, outputs, deps, again);
  deps.onEvent({ type: "stage-ended", stage: name, output: result.output, again: result.found });
  if (name === "plan") await announcePlan(await readPlan(runId, deps.objects), deps);
  return result;
}

function announcePlan({ tasks, trials, excluded, shards }: Plan, deps: PipelineDeps): void {
  deps.onEvent({ type: "planned", tasks, trials, excluded, shards: shards.length });
}

/** Takes every shard through the chain, again and again while other processes hold some of its trials. */
async function driveShards(
  runId: string,
  names: readonly FanOutName[],
  deps: PipelineDeps,
): Promise<{ skipped: number; worked: boolean }> {
  const { shards } = await readPlan(runId, deps.objects);
  const total = { skipped: 0, worked: false };
  let pending: readonly Shard[] = shards;
  for (const name of names) deps.onEvent({ type: "stage-started", stage: name });
  while (pending.length > 0) {
    const busy: Shard[] = [];
    const concurrency = deps.spec.concurrency;
    await pMap(
      pending,
      async (shard) => {
        const report = await driveShard(runId, shard, names, total, deps);
        if (report.busy > 0) busy.push(shard);
        total.skipped += report.skipped;
      },
      { concurrency },
    );
    if (total.skipped > 0 || busy.length === 0) break;
    await deps.clock.sleep(busyPollMs, deps.signal);
    pending = busy;
  }
  for (const name of names)
    deps.onEvent({ type: "stage-ended", stage: name, output: {}, again: !total.worked });
  return total;
}

async function driveShard(
  runId: string,
  shard: Shard,
  names: readonly FanOutName[],
  total: { worked: boolean },
  deps: PipelineDeps,
): Promise<ShardReport> {
  let report: ShardReport = { traced: 0, ended: 0, busy: 0, skipped: 0 };
  for (const name of names) {
    const onEvent: PipelineDeps["onEvent"] = (event) => {
      if (event.type === "attempt-started" || event.type === "attempt-ended") total.worked = true;
      deps.onEvent(event);
    };
    report = await fanOuts[name](runId, shard, { ...deps, onEvent });
  }
  return report;
}
