import { describe, expect, test } from "vitest";
import { type CountedCalls, countingStores } from "../../../../test/fakes/counting-stores.ts";
import { pipelineWorld } from "../../../../test/fakes/pipeline-world.ts";
import { writesAnswer } from "../../../../test/fakes/trial-world.ts";
import { exportDataset } from "../dataset/export.ts";
import type { PipelineDeps, TaskFolder } from "../pipeline/deps.ts";
import { planRun } from "../pipeline/plan-run.ts";
import { prepareTasks } from "../pipeline/prepare-tasks.ts";
import { writeResults } from "../pipeline/results.ts";
import { workOnShard } from "../pipeline/shard-work.ts";
import type { FanOutName } from "../pipeline/stages.ts";
import type { Agent } from "../ports/agent.ts";
import type { Exchange } from "../ports/model-client.ts";
import type { SandboxProvider } from "../ports/sandbox.ts";
import { ExportSpec } from "../run/export-spec.ts";
import type { ReferenceSolution } from "../run/trial.ts";
import { scenarioFiles } from "../scenario/scenario.ts";
import { createTaskLoader } from "../trial/load-task.ts";
import {
  evaluateCalls,
  exportCalls,
  perJobCalls,
  type StoreCalls,
  type TrialSort,
  traceCalls,
} from "./trial-work.ts";

const exchange: Exchange = {
  startedAt: "2026-11-01T00:00:00.000Z",
  endedAt: "2026-11-01T00:00:01.000Z",
  model: "m",
  replayed: false,
  request: { messages: [], tools: [] },
  answer: { text: "", toolCalls: [], finish: "stop" },
};

/** Rows hold what the sandbox says of itself: the longest that namespaces say. */
function describedAsNamespace(plain: SandboxProvider): SandboxProvider {
  const isolation =
    "bwrap userns mountns pidns ipcns utsns netns pivot_root overlay no_new_privs capabilities cgroup-v2";
  const described = {
    sandbox: "namespace",
    base: `host ${"0".repeat(64)}`,
    isolation: isolation.split(" "),
    network: "none",
    environment: "0".repeat(64),
  } as const;
  return {
    ...plain,
    create: async (spec) => Object.assign(await plain.create(spec), { description: described }),
  };
}

const tests: TrialSort = {
  sandboxed: { trace: true, evaluate: true },
  decidedBy: "tests",
  exchanges: true,
  reference: false,
};
const sorts: Record<string, TrialSort> = {
  "a model agent on a task with tests": tests,
  "an agent without a model": { ...tests, exchanges: false },
  "a played solution": { ...tests, exchanges: false, reference: true },
  "a model agent on a scenario with an answer": {
    sandboxed: { trace: false, evaluate: false },
    decidedBy: "answer",
    exchanges: true,
    reference: false,
  },
  "a recorded solution taken over": {
    sandboxed: { trace: false, evaluate: false },
    decidedBy: "claim",
    exchanges: false,
    reference: true,
  },
};

/** A run of `attempts` trials of one sort on the answer task, in one shard, planned. */
async function plannedRun(sort: TrialSort, attempts: number) {
  const world = await pipelineWorld({
    agent: async (context, call) => {
      if (sort.exchanges) context.record(exchange);
      context.budget.spend({ promptTokens: 120_000, completionTokens: 6_000, cachedTokens: 90_000 });
      return sort.sandboxed.trace ? writesAnswer("42")(context, call) : undefined;
    },
    spec: { attempts },
    sandboxes: describedAsNamespace,
  });
  const scripted = world.deps.agents("scripted");
  const agent: Agent = {
    ...scripted,
    decidedBy: sort.decidedBy === "claim" ? "claim" : "task",
    needsSandbox: () => sort.sandboxed.trace,
    variants: () => ({ references: [sort.reference ? reference : undefined] }),
  };
  const stores = countingStores(world);
  await world.objects.put(reference.trajectoryKey, Buffer.from(JSON.stringify(recording)));
  const process = (id: string): PipelineDeps => {
    const parts = sort.decidedBy === "answer" ? { taskFolders: scenarioFolder } : {};
    const { deps } = world.process(id, { ...stores, ...parts, agents: () => agent });
    // A shard's earlier job has ended before the next one begins.
    const owner = { id: `batch/${world.runId}-1/shd_${"0".repeat(24)}/${id}`, isGone: () => true };
    return { ...deps, owner, tasks: createTaskLoader(stores.objects) };
  };
  const planner = process("planner");
  await prepareTasks(world.runId, undefined, planner);
  const { shards } = await planRun(world.runId, planner);
  const shardId = shards[0]?.shardId ?? "";
  expect(shards).toHaveLength(1);
  drain(stores.calls);
  const work = async (stage: FanOutName): Promise<StoreCalls> => {
    await workOnShard(
      world.runId,
      shardId,
      stage,
      process(`${stage}/00000000-0000-0000-0000-000000000000/1`),
    );
    return drain(stores.calls);
  };
  return { ...world, calls: stores.calls, process, work };
}

async function* scenarioFolder(): AsyncGenerator<TaskFolder> {
  const messages = [{ role: "user" as const, content: "What is 6 × 7?" }];
  const parts = { schemaVersion: 1 as const, name: "qa", kind: "qa", tools: [], metadata: {} };
  yield { path: "qa", files: scenarioFiles({ ...parts, messages, expected_answer: "42" }) };
}

const reference: ReferenceSolution = {
  solutionId: "s",
  trajectoryKey: "references/r.json",
  claim: { status: "passed" },
};
const recording = {
  schema_version: "ATIF-v1.8",
  agent: { name: "prod", version: "1" },
  steps: [{ step_id: 1, source: "agent", message: "done" }],
};

/** What was asked for since the last call. */
function drain(calls: CountedCalls): StoreCalls {
  const { objectPuts, objectGets, rowReads, rowWrites, writeUnits, indexUnits, gotKeys } = calls;
  const archives = gotKeys.filter((key) => key.startsWith("tasks/")).length;
  const rows = { rowReads: 0, rowWrites: 0, writeUnits: 0, indexUnits: 0, queriedRows: 0 };
  Object.assign(calls, { objectPuts: 0, objectGets: 0, ...rows, gotKeys: [] });
  // A task's archive is read once by each job, and counted with the job.
  return { objectPuts, objectGets: objectGets - archives, rowReads, rowWrites, writeUnits, indexUnits };
}

/** `job` and `count` times `trial`. */
function total(job: StoreCalls, trial: StoreCalls, count: number): StoreCalls {
  const names = Object.keys(trial) as (keyof StoreCalls)[];
  return Object.fromEntries(names.map((name) => [name, job[name] + count * trial[name]])) as never;
}

describe("what a shard's job asks of the stores", () => {
  test.each(Object.entries(sorts))("%s", async (_name, sort) => {
    for (const count of [1, 5]) {
      const run = await plannedRun(sort, count);
      expect(await run.work("trace")).toEqual(total(perJobCalls, traceCalls(sort), count));
      expect(await run.work("evaluate")).toEqual(total(perJobCalls, evaluateCalls(sort), count));
    }
  });
});

test("what results and a dataset read of each trial", async () => {
  const count = 12;
  const run = await plannedRun(tests, count);
  await run.work("trace");
  await run.work("evaluate");
  const deps = run.process("export");
  await writeResults(run.runId, deps);
  expect(run.calls.rowReads).toBe(count * exportCalls.resultsRowReads);
  drain(run.calls);
  const spec = ExportSpec.parse({ name: "d", formats: ["sft", "trials"] });
  await exportDataset({ runId: run.runId, spec, runSpec: deps.spec }, deps);
  const perTrial = run.calls.gotKeys.filter((key) => key.includes("/trials/")).length / count;
  expect(perTrial).toBe(exportCalls.datasetGets + exportCalls.trainingGets);
  expect(run.calls.rowReads).toBe(0);
});
