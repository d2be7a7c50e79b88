import { hashId, IdSet } from "../../ingest/id-set.ts";
import { objectKeys } from "../../keys.ts";
import { readShard } from "../../pipeline/plan-run.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { type FilledShard, Plan, type Shard, ShardFiller } from "../../run/plan.ts";
import { canonicalJson } from "../../run/spec.ts";
import type { AgentRef, TaskRef, Trial } from "../../run/trial.ts";
import { findStored, jsonLinesBody } from "../../stored-json.ts";

/** Trials in a shard: as many as in a plan of ours. */
const shardSize = 64;

/** The plan of a run that grows by whole imports: its shards stay, new trials come in new ones. */
export interface GrowingPlan {
  /** Trials so far, added ones included. */
  readonly trials: number;
  /** Whether the plan had the trial before. */
  has(trialId: string): boolean;
  /** The number of the next trial of a task and agent, from 0. */
  nextSample(taskHash: string, agent: AgentRef): number;
  add(trial: Trial): Promise<void>;
  /** Writes the plan when it has grown: the shards first, `shards.json` last. */
  finish(): Promise<void>;
}

/** The plan of a run as it is stored, or an empty one. Memory: some 100 bytes a trial. */
export async function growingPlan(
  runId: string,
  { objects }: { objects: ObjectStore },
): Promise<GrowingPlan> {
  const stored = await findStored(objects, objectKeys.runShards(runId), Plan);
  const shards: Shard[] = [...(stored?.shards ?? [])];
  const known = new IdSet();
  const samples = new Map<bigint, number>();
  const count = (taskHash: string, agent: AgentRef): number => {
    const pair = hashId(canonicalJson([taskHash, agent]));
    const sample = samples.get(pair) ?? 0;
    samples.set(pair, sample + 1);
    return sample;
  };
  for (const shard of shards) {
    for await (const { trialId, task, agent } of readShard(runId, shard, objects)) {
      known.add(hashId(trialId));
      count(task.hash, agent);
    }
  }
  const filler = new ShardFiller(shardSize);
  const close = async ({ shard, trials }: FilledShard): Promise<void> => {
    shards.push(shard);
    await objects.put(objectKeys.runShard(runId, shard.shardId), jsonLinesBody(trials));
  };
  let added = 0;
  return {
    get trials() {
      return known.size + added;
    },
    has: (trialId) => known.has(hashId(trialId)),
    nextSample: count,
    async add(trial) {
      added += 1;
      for (const filled of filler.add(trial, { trace: true, evaluate: true })) await close(filled);
    },
    async finish() {
      if (added === 0) return;
      for (const filled of filler.finish()) await close(filled);
      const tasks = new IdSet();
      await objects.put(objectKeys.runTasks(runId), jsonLinesBody(tasksOf(runId, shards, tasks, objects)));
      const counts = { tasks: tasks.size, trials: known.size + added, excluded: 0, excludedBy: {} };
      const plan: Plan = { schemaVersion: 1, runId, ...counts, shards };
      await objects.put(objectKeys.runShards(runId), Buffer.from(`${JSON.stringify(plan)}\n`));
    },
  };
}

async function* tasksOf(
  runId: string,
  shards: readonly Shard[],
  seen: IdSet,
  objects: ObjectStore,
): AsyncGenerator<TaskRef> {
  for (const shard of shards) {
    for await (const { task } of readShard(runId, shard, objects))
      if (seen.add(hashId(task.hash))) yield { ...task, references: [] };
  }
}
