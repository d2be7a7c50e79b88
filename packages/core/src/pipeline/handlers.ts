import { exportDataset } from "../dataset/export.ts";
import { TracemillError } from "../errors.ts";
import { openFiring } from "../ingest/firing.ts";
import { ingestSnapshot } from "../ingest/snapshot.ts";
import { ChangedOrigin } from "../prepare/changed.ts";
import type { Shard } from "../run/plan.ts";
import type { Trial } from "../run/trial.ts";
import type { TrialProgress } from "../trial/deps.ts";
import { evaluateTrial } from "../trial/evaluate.ts";
import { traceTrial } from "../trial/trace.ts";
import type { PipelineDeps } from "./deps.ts";
import { planRun, readShard } from "./plan-run.ts";
import { prepareTasks } from "./prepare-tasks.ts";
import { writeResults } from "./results.ts";
import type { FanOutName, StepName } from "./stages.ts";

/** Small JSON that the next stages need; everything larger is in the stores. */
export type StepOutput = Record<string, unknown>;

/** @param outputs of the steps that ran before. */
export type StepHandler = (
  runId: string,
  outputs: Partial<Record<StepName, StepOutput>>,
  deps: PipelineDeps,
) => Promise<StepOutput>;

type ShardHandler = (
  runId: string,
  shard: Pick<Shard, "shardId">,
  deps: PipelineDeps,
) => Promise<ShardReport>;

/** How the trials of a shard stand after a fan-out stage. */
export type ShardReport = Record<TrialProgress, number>;

export const ingestStep: StepHandler = async (runId, _outputs, deps) => ingest(runId, deps);

export const prepareStep: StepHandler = async (runId, { ingest: ingested }, deps) => {
  const found = ChangedOrigin.safeParse(ingested);
  return prepareTasks(runId, found.success ? found.data : undefined, deps);
};

export const planStep: StepHandler = async (runId, _outputs, deps) => {
  const { shards, schemaVersion: _, runId: __, ...counts } = await planRun(runId, deps);
  return { ...counts, shards: shards.length };
};

export const exportStep: StepHandler = async (runId, _outputs, deps) => {
  const summary = await writeResults(runId, deps);
  if (deps.spec.export === undefined) return { trials: summary.trials };
  const manifest = await exportDataset(
    { runId, spec: deps.spec.export, runSpec: deps.spec },
    {
      ...deps,
      onProgress: (done) => deps.onEvent({ type: "progress", stage: "export", done, unit: "trials" }),
    },
  );
  return { trials: summary.trials, dataset: `datasets/${manifest.name}/${manifest.version}/` };
};

/** A program that has only some of the steps takes those: what the others need is then no part of it. */
export const steps: Record<StepName, StepHandler> = {
  ingest: ingestStep,
  prepare: prepareStep,
  plan: planStep,
  export: exportStep,
};

export const fanOuts: Record<FanOutName, ShardHandler> = {
  trace: (runId, shard, deps) => overShard(runId, shard, deps, traceTrial),
  evaluate: (runId, shard, deps) => overShard(runId, shard, deps, evaluateTrial),
};

async function ingest(runId: string, deps: PipelineDeps): Promise<StepOutput> {
  const { source } = deps.spec;
  if (source === undefined) return {};
  if (source.snapshot !== undefined) return { source: source.name, snapshotId: source.snapshot };
  if (deps.production === undefined) {
    throw new TracemillError(
      "invalid-spec",
      "`source` wants the production API: set TRACEMILL_PROD_BASE_URL and TRACEMILL_PROD_API_TOKEN",
    );
  }
  const { kind: _, name, baseUrl, take: __, snapshot: ___, ...query } = source;
  // Done again after a kill, this step ingests again: what the first time found is new to the run all the same.
  const { before: since = null } = await openFiring(name, runId, deps.records);
  const manifest = await ingestSnapshot(
    { ...query, source: name, baseUrl: baseUrl ?? deps.production.baseUrl },
    {
      ...deps,
      token: deps.production.token,
      onProgress: ({ rows }) => deps.onEvent({ type: "progress", stage: "ingest", done: rows, unit: "rows" }),
    },
  );
  return { source: name, snapshotId: manifest.snapshotId, since, rows: manifest.counts.rows };
}

async function overShard(
  runId: string,
  shard: Pick<Shard, "shardId">,
  deps: PipelineDeps,
  work: (trial: Trial, deps: PipelineDeps) => Promise<TrialProgress>,
): Promise<ShardReport> {
  const report: ShardReport = { traced: 0, ended: 0, busy: 0, skipped: 0 };
  const trials = await Array.fromAsync(readShard(runId, shard, deps.objects));
  const running = trials.map((trial) => deps.limit(() => work(trial, deps)));
  const results = await Promise.allSettled(running);
  for (const result of results) {
    if (result.status === "rejected") throw result.reason;
    report[result.value] += 1;
  }
  return report;
}
