import { readStage, type StageRecord } from "@tracemill/core/pipeline/stage-record.ts";
import { type StepName, stages } from "@tracemill/core/pipeline/stages.ts";
import { readProgress, sumShards } from "@tracemill/core/run/progress.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { readRun } from "@tracemill/core/run/runs.ts";
import type { Tally } from "@tracemill/core/run/shard-record.ts";
import type { CloudHome } from "../context.ts";

/** A run on AWS at one moment. */
export interface RunView {
  run: RunRecord;
  /** The steps that somebody has begun. */
  steps: Partial<Record<StepName, StageRecord>>;
  /** Trials and shards of its plan; absent before there is one. */
  planned: { trials: number; shards: number } | undefined;
  tally: Tally | undefined;
  failedShards: number;
}

const stepNames = stages.flatMap((stage) => (stage.kind === "step" ? [stage.name] : []));

/** Reads a run as its rows say: some ten small reads, whatever the run's size. */
export async function viewRun(runId: string, cloud: Pick<CloudHome, "records">): Promise<RunView> {
  const [run, progress, rows] = await Promise.all([
    readRun(runId, cloud.records),
    readProgress(runId, cloud.records),
    Promise.all(stepNames.map(async (name) => [name, (await readStage(runId, name, cloud))?.row] as const)),
  ]);
  const steps = Object.fromEntries(rows.filter(([, row]) => row !== undefined)) as RunView["steps"];
  return {
    run,
    steps,
    planned: plannedOf(steps.plan),
    tally: progress?.tally,
    failedShards: progress?.failedShards ?? 0,
  };
}

/** The same, with the shards added up anew: the stored sum is written about once a minute. */
export async function viewRunExactly(runId: string, cloud: Pick<CloudHome, "records">): Promise<RunView> {
  const [view, sum] = await Promise.all([viewRun(runId, cloud), sumShards(runId, cloud.records)]);
  return { ...view, ...sum };
}

function plannedOf(row: StageRecord | undefined): RunView["planned"] {
  if (row?.status !== "done") return undefined;
  const { trials, shards } = row.output;
  return typeof trials === "number" && typeof shards === "number" ? { trials, shards } : undefined;
}
