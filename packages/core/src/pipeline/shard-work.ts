import { readProgress } from "../run/progress.ts";
import type { ShardMeter } from "../run/tally.ts";
import type { Trial, TrialRecord } from "../run/trial.ts";
import { isHeldByOther } from "../trial/lease.ts";
import { isStopping, mayReopen } from "../trial/policy.ts";
import type { PipelineDeps } from "./deps.ts";
import { fanOuts, type ShardReport } from "./handlers.ts";
import { readShard } from "./plan-run.ts";
import { type JobOfShard, meterShard, readRows, writeShardReport } from "./shard-report.ts";
import type { FanOutName } from "./stages.ts";

/** How often a shard's row is written while it is worked on. */
const reportMs = 60_000;

/** How long to wait before looking again at trials that another process holds. */
const busyPollMs = 5_000;

export interface ShardWorkDeps extends PipelineDeps {
  /** The job that does the work, as it stands now. */
  job?: () => JobOfShard;
}

/**
 * Takes a shard through one stage, for a worker that knows of nothing else: waits for trials that others hold, keeps
 * the shard's row up to date, and holds the run's caps against what all workers have used. When it returns or throws,
 * nothing of it is at work any more and the row says how the shard stands.
 * @throws what is no attempt's outcome: storage that fails, above all.
 */
export async function workOnShard(
  runId: string,
  shardId: string,
  stage: FanOutName,
  deps: ShardWorkDeps,
): Promise<ShardReport> {
  const trials = await Array.fromAsync(readShard(runId, { shardId }, deps.objects));
  // What a resumed run begins again is work left: a job that dies before it comes to it must not leave the shard done.
  const meter = await meterShard(trials, deps, (row) => mayReopen(row, deps));
  const onEvent: PipelineDeps["onEvent"] = (event) => {
    if ("trialId" in event) meter.onEvent(event);
    deps.onEvent(event);
  };
  await using _reports = await reportEvery(() => report(runId, shardId, meter, deps), deps);
  const pass = () => fanOuts[stage](runId, { shardId }, { ...deps, onEvent });
  // Awaited here, since the last report has to come after it.
  return await untilNoneIsHeld(trials, stage, pass, deps);
}

async function untilNoneIsHeld(
  trials: readonly Trial[],
  stage: FanOutName,
  pass: () => Promise<ShardReport>,
  deps: PipelineDeps,
): Promise<ShardReport> {
  for (;;) {
    const done = await pass();
    if (done.busy === 0 || isStopping(deps)) return done;
    if (!(await readRows(trials, deps)).some((row) => row !== undefined && isHeld(row, stage, deps)))
      return done;
    await deps.clock.sleep(busyPollMs, AbortSignal.any([deps.signal, deps.draining])).catch(() => undefined);
  }
}

/** Whether somebody else is at work on this very stage of a trial, and may yet leave it to us. */
function isHeld(row: TrialRecord, stage: FanOutName, deps: PipelineDeps): boolean {
  const status = stage === "trace" ? "tracing" : "traced";
  return row.status === status && "lease" in row && isHeldByOther(row.lease, deps);
}

/** Reports at once, then every minute, and once more when disposed. */
async function reportEvery(write: () => Promise<void>, deps: ShardWorkDeps): Promise<AsyncDisposable> {
  const done = new AbortController();
  await write();
  const writing = (async () => {
    for (;;) {
      await deps.clock.sleep(reportMs, done.signal);
      // A report that fails is made up for by the next one.
      await write().catch(() => undefined);
    }
  })().catch(() => undefined);
  return {
    [Symbol.asyncDispose]: async () => {
      done.abort();
      await writing;
      await write();
    },
  };
}

/** Writes the shard's row, and takes the run's sum for what the run has used so far. */
async function report(runId: string, shardId: string, meter: ShardMeter, deps: ShardWorkDeps): Promise<void> {
  const { records, budget } = deps;
  await writeShardReport(shardId, meter.tally, deps, deps.job?.());
  if (!budget.isShared) return;
  const progress = await readProgress(runId, records);
  if (progress !== undefined) budget.raiseTo(progress.tally.usage);
}
