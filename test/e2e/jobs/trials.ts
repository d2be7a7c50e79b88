import { objectKeys } from "@tracemill/core/keys.ts";
import { readPlan, readShard } from "@tracemill/core/pipeline/plan-run.ts";
import type { Shard } from "@tracemill/core/run/plan.ts";
import { readShardRecord } from "@tracemill/core/run/progress.ts";
import type { ShardRecord } from "@tracemill/core/run/shard-record.ts";
import type { TrialRecord } from "@tracemill/core/run/trial.ts";
import { readTrialRecord } from "@tracemill/core/trial/record.ts";
import type { Cloud } from "./cloud.ts";

export async function shardsOf(runId: string, { objects }: Cloud): Promise<Shard[]> {
  return (await readPlan(runId, objects)).shards;
}

/** The rows of a shard's trials, as they stand. */
export async function rowsOf(runId: string, shard: Shard, cloud: Cloud): Promise<TrialRecord[]> {
  const rows: TrialRecord[] = [];
  for await (const { trialId } of readShard(runId, shard, cloud.objects)) {
    const held = await readTrialRecord(cloud.records, runId, trialId);
    if (held !== undefined) rows.push(held.row);
  }
  return rows;
}

/** The outcomes of each trial's attempts, sorted, as text: `scored`, `cancelled scored`. */
export async function outcomesOf(runId: string, shard: Shard, cloud: Cloud): Promise<string[]> {
  const rows = await rowsOf(runId, shard, cloud);
  return rows.map(({ attempts }) => attempts.map(({ outcome }) => outcome.kind).join(" ")).toSorted();
}

export async function shardRecordOf(
  runId: string,
  shard: Shard,
  cloud: Cloud,
): Promise<ShardRecord | undefined> {
  return (await readShardRecord(runId, shard.shardId, cloud.records))?.row;
}

/** Keys of all that was stored for a run's attempts. */
export async function attemptKeys(runId: string, { objects }: Cloud): Promise<string[]> {
  const prefix = `${objectKeys.run(runId)}trials/`;
  return (await Array.fromAsync(objects.list(prefix))).map(({ key }) => key.slice(prefix.length));
}
