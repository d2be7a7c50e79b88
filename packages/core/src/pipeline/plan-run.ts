import pMap from "p-map";
import { objectKeys } from "../keys.ts";
import type { AgentRegistry } from "../ports/agent.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import {
  type Excluded,
  type FilledShard,
  Plan,
  planTask,
  type Shard,
  ShardFiller,
  shardSizes,
} from "../run/plan.ts";
import type { RunSpec } from "../run/spec.ts";
import { TaskRef, Trial } from "../run/trial.ts";
import { jsonLinesBody, readJsonLines, readStored } from "../stored-json.ts";
import { parseAs } from "../validation.ts";
import { untilStopped } from "./until-stopped.ts";

/** Shards written at once: a plan of a million trials has 15,625, at some 30 ms each where storage is far away. */
const storedAtOnce = 16;

interface PlanInput {
  runId: string;
  spec: RunSpec;
  agents: AgentRegistry;
  tasks: AsyncIterable<TaskRef>;
}

/**
 * Resolves a spec over its tasks, handing out shards as they fill. Writes nothing itself.
 * Memory: some 150 bytes for each shard of the plan.
 * @throws TracemillError `invalid-spec`, see `checkAgents`.
 */
export async function resolvePlan(
  input: PlanInput,
  onShard: (filled: FilledShard) => Promise<void>,
): Promise<Plan> {
  const { runId, spec, agents } = input;
  checkAgents(spec, agents);
  const filler = new ShardFiller(shardSizes[spec.sandbox]);
  const shards: Shard[] = [];
  const excludedBy: Record<string, number> = {};
  const counts = { tasks: 0, trials: 0, excluded: 0 };
  const close = async (filled: FilledShard): Promise<void> => {
    shards.push(filled.shard);
    await onShard(filled);
  };
  for await (const task of input.tasks) {
    counts.tasks += 1;
    for (const entry of planTask(task, runId, spec, agents)) {
      if ("excluded" in entry) {
        counts.excluded += 1;
        const reason = `${entry.excluded.agent.name}: ${entry.excluded.reason}`;
        excludedBy[reason] = (excludedBy[reason] ?? 0) + 1;
        continue;
      }
      counts.trials += entry.trials.length;
      for (const trial of entry.trials)
        for (const filled of filler.add(trial, entry.sandboxed)) await close(filled);
    }
  }
  for (const filled of filler.finish()) await close(filled);
  return { schemaVersion: 1, runId, ...counts, excludedBy, shards };
}

/** @throws TracemillError `invalid-spec` for an agent that is unknown, or that its entry in the spec does not suit. */
export function checkAgents(spec: RunSpec, agents: AgentRegistry): void {
  for (const agent of spec.agents) agents(agent.name).check?.(agent, spec);
}

/** The pairs that `resolvePlan` counts as excluded, over the same tasks. */
async function* excludedPairs({ runId, spec, agents, tasks }: PlanInput): AsyncGenerator<Excluded> {
  for await (const task of tasks) {
    for (const entry of planTask(task, runId, spec, agents)) if ("excluded" in entry) yield entry.excluded;
  }
}

/**
 * Resolves a run's plan and stores it: the shards first, `shards.json` last. What was left out is found in a
 * second pass over the tasks, so that it is never held in memory.
 * @throws TracemillError `cancelled`.
 */
export async function planRun(
  runId: string,
  deps: { spec: RunSpec; agents: AgentRegistry; objects: ObjectStore; signal: AbortSignal },
): Promise<Plan> {
  const { spec, agents, objects, signal } = deps;
  const input = () => ({ runId, spec, agents, tasks: untilStopped(readRunTasks(runId, objects), signal) });
  let filled: FilledShard[] = [];
  const store = async (): Promise<void> => {
    const batch = filled;
    filled = [];
    await pMap(batch, ({ shard, trials }) =>
      objects.put(objectKeys.runShard(runId, shard.shardId), jsonLinesBody(trials)),
    );
  };
  const plan = await resolvePlan(input(), async (each) => {
    filled.push(each);
    if (filled.length >= storedAtOnce) await store();
  });
  await store();
  if (plan.excluded > 0)
    await objects.put(objectKeys.runExcluded(runId), jsonLinesBody(excludedPairs(input())));
  await objects.put(objectKeys.runShards(runId), Buffer.from(`${JSON.stringify(plan)}\n`));
  return plan;
}

export async function* readRunTasks(runId: string, objects: ObjectStore): AsyncGenerator<TaskRef> {
  const key = objectKeys.runTasks(runId);
  for await (const value of readJsonLines(objects, key))
    yield parseAs(TaskRef, value, key, "storage-corrupt");
}

/** @throws TracemillError `not-found` when the run has no plan yet. */
export async function readPlan(runId: string, objects: ObjectStore): Promise<Plan> {
  const key = objectKeys.runShards(runId);
  return readStored(objects, key, Plan);
}

export async function* readShard(
  runId: string,
  shard: Pick<Shard, "shardId">,
  objects: ObjectStore,
): AsyncGenerator<Trial> {
  const key = objectKeys.runShard(runId, shard.shardId);
  for await (const value of readJsonLines(objects, key)) yield parseAs(Trial, value, key, "storage-corrupt");
}
