import { objectKeys } from "@tracemill/core/keys.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { Plan } from "@tracemill/core/run/plan.ts";
import { createRun } from "@tracemill/core/run/runs.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { jsonLinesBody } from "@tracemill/core/stored-json.ts";
import { fixtureTrial, writeRun } from "./run-fixture.ts";

const agents = [{ name: "replay" }, { name: "terminus", model: "openai/gpt-test" }];
export const plannedSpec = parseRunSpec({ name: "nightly", tasks: ["tasks"], agents, attempts: 3 }, "spec");
export const plannedRunId = "run_FIXTURE";

interface Stores {
  objects: ObjectStore;
  records: RecordStore;
  clock: Clock;
}

interface Options {
  /** Trials that have ended: the first ones of the plan. */
  ended: number;
  /** Trials in the shards. Default: those that have ended. */
  trials?: number;
  /** What the plan gives for the number of trials. Default: those in the shards. */
  planned?: number;
}

/** Writes a run with its spec and its plan: the fixture's trials, in shards of 20. */
export async function writePlannedRun(
  { ended, trials = ended, planned = trials }: Options,
  stores: Stores,
): Promise<Plan> {
  const runId = plannedRunId;
  await createRun(plannedSpec, stores, runId);
  await writeRun({ runId, trials: ended }, stores);
  const plan: Plan = {
    schemaVersion: 1,
    runId,
    tasks: Math.ceil(planned / 3),
    trials: planned,
    excluded: 2,
    excludedBy: { "wants Windows": 2 },
    shards: [],
  };
  for (let first = 0; first < trials; first += 20) {
    const count = Math.min(20, trials - first);
    const shard = {
      shardId: `shd_${first}`,
      environment: "env",
      sandboxed: { trace: false, evaluate: false },
    };
    plan.shards.push({ ...shard, trials: count });
    const body = jsonLinesBody(
      Array.from({ length: count }, (_, index) => fixtureTrial(runId, first + index)),
    );
    await stores.objects.put(objectKeys.runShard(runId, shard.shardId), body);
  }
  await stores.objects.put(objectKeys.runShards(runId), Buffer.from(JSON.stringify(plan)));
  return plan;
}
