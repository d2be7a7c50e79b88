/** A run of a given number of trials, as real code plans it, over tasks that a generator makes. */

import type { ShardItem } from "@tracemill/aws/pipeline/messages.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import { type PlanShape, ShapeBuilder, type SortCount } from "@tracemill/core/cost/shape.ts";
import { sha256Hex } from "@tracemill/core/ids.ts";
import { resolvePlan } from "@tracemill/core/pipeline/plan-run.ts";
import type { Agent, AgentRegistry } from "@tracemill/core/ports/agent.ts";
import type { Plan, Shard } from "@tracemill/core/run/plan.ts";
import { parseRunSpec, type RunSpec } from "@tracemill/core/run/spec.ts";
import type { TaskRef } from "@tracemill/core/run/trial.ts";
import { shardItem } from "@tracemill/functions/collect/job-items.ts";

export interface ScenarioOptions {
  trials: number;
  sandbox: RunSpec["sandbox"];
  /** Batch jobs at once. */
  jobs: number;
  /** Every so many environments one holds scenarios, which run in no sandbox. Default: none does. */
  scenarioEvery?: number;
}

export const runId = "run_01JD5X0000000000000000000A";

/** Trials of each task. */
const attempts = 20;
/** Tasks of each environment: 8,000 trials, 125 full shards of 64. */
const tasksPerEnvironment = 400;

const agent: Agent = {
  name: "tools",
  version: "1",
  decidedBy: "task",
  needsSandbox: ({ kind }) => kind === "harbor",
  variants: () => ({ references: [undefined] }),
  run: () => Promise.reject(new Error("nothing is run here")),
};
export const agents: AgentRegistry = () => agent;

export function specOf({ sandbox, jobs }: ScenarioOptions): RunSpec {
  return parseRunSpec(
    {
      name: "scale",
      tasks: ["./tasks"],
      agents: [{ name: "tools", model: "openai/gpt-5.2" }],
      attempts,
      // A trial for each vCPU of a job of the default size.
      concurrency: 8,
      sandbox,
      aws: { jobs },
      export: { name: "scale" },
    },
    "scale",
  );
}

/** The tasks, one after another; the last one's trials may go beyond `trials` by less than `attempts`. */
async function* syntheticTasks({ trials, scenarioEvery }: ScenarioOptions): AsyncGenerator<TaskRef> {
  for (let index = 0; index * attempts < trials; index += 1) {
    const environment = Math.floor(index / tasksPerEnvironment);
    const isScenario = scenarioEvery !== undefined && environment % scenarioEvery === scenarioEvery - 1;
    yield {
      hash: sha256Hex(`task ${index}`),
      kind: isScenario ? "scenario" : "harbor",
      name: `acme/task-${index}`,
      group: `acme/task-${index}`,
      environment: sha256Hex(`environment ${environment}`),
      origin: { kind: "folder", path: `/home/user/tasks/task-${index}` },
      hasSolution: false,
      decidedBy: isScenario ? "answer" : "tests",
      tools: [],
      needs: [],
      references: [],
    };
  }
}

/** A shard with what its jobs will ask for. */
export interface PlannedShard {
  shard: Shard;
  sort: SortCount;
  /** Distinct tasks. */
  archives: number;
}

export interface Scenario {
  spec: RunSpec;
  plan: Plan;
  shape: PlanShape;
  shards: Map<string, PlannedShard>;
}

/** Plans the run with `resolvePlan`: its shards are those that a user's run would have. */
export async function planScenario(options: ScenarioOptions): Promise<Scenario> {
  const spec = specOf(options);
  const builder = new ShapeBuilder(spec, agents);
  const shards = new Map<string, PlannedShard>();
  const plan = await resolvePlan({ runId, spec, agents, tasks: syntheticTasks(options) }, async (filled) => {
    builder.add(filled);
    const { shard, trials } = filled;
    const sort: SortCount = {
      sandboxed: shard.sandboxed,
      decidedBy: shard.sandboxed.evaluate ? "tests" : "answer",
      exchanges: true,
      reference: false,
      pace: "model",
      trials: shard.trials,
    };
    const archives = new Set(trials.map(({ task }) => task.hash)).size;
    shards.set(shard.shardId, { shard, sort, archives });
  });
  return { spec, plan, shape: builder.finish(plan), shards };
}

const arn = (service: string, name: string): string => `arn:aws:${service}:us-east-1:123456789012:${name}`;
const target = (kind: string) => ({
  queue: arn("batch", `job-queue/tracemill-prod-${kind}`),
  definition: arn("batch", `job-definition/tracemill-prod-${kind}:12`),
});

/** A stage, with names as long as real ones. */
export const stack: Pick<StackInfo, "jobs" | "onDemandQueues" | "stage"> = {
  stage: "prod",
  jobs: {
    step: target("step"),
    container: target("container"),
    host: target("host"),
    gpu: target("gpu"),
    sandbox: { ...target("sandbox"), definition: "tracemill-prod-box-" },
    image: target("image"),
  },
  onDemandQueues: {},
};

/** The item that `collect` writes for a shard. */
export function itemOf(shard: Shard, spec: RunSpec): ShardItem {
  const input = { runId, execution: `${runId}-1`, startedAt: 1_795_264_736_094, resumed: false };
  return shardItem(shard, false, { input, spec, stack });
}
