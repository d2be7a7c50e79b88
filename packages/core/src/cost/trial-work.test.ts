import { describe, expect, test } from "vitest";
import { type CountedCalls, countingStores } from "../../../../test/fakes/counting-stores.ts";
import { pipelineWorld } from "../../../../test/fakes/pipeline-world.ts";
import { writesAnswer } from "../../../../test/fakes/trial-world.ts";
import { exportDataset } from "../dataset/export.ts";
import type { PipelineDeps } from "../pipeline/deps.ts";
import { planRun, readShard } from "../pipeline/plan-run.ts";
import { prepareTasks } from "../pipeline/prepare-tasks.ts";
import { writeResults } from "../pipeline/results.ts";
import type { Agent } from "../ports/agent.ts";
import type { Exchange } from "../ports/model-client.ts";
import type { SandboxProvider } from "../ports/sandbox.ts";
import { ExportSpec } from "../run/export-spec.ts";
import type { Trial } from "../run/trial.ts";
import { evaluateTrial } from "../trial/evaluate.ts";
import { createTaskLoader } from "../trial/load-task.ts";
import { traceTrial } from "../trial/trace.ts";
import { evaluateCalls, exportCalls, type StoreCalls, type TrialSort, traceCalls } from "./trial-work.ts";

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
  "a recorded solution taken over": {
    sandboxed: { trace: false, evaluate: false },
    decidedBy: "claim",
    exchanges: false,
    reference: true,
  },
};

/** A run of `attempts` trials of one sort on the answer task, planned. */
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
  };
  const stores = countingStores(world);
  const process = (id: string): PipelineDeps => {
    const { deps } = world.process(id, { ...stores, agents: () => agent });
    // A shard's earlier job has ended before the next one begins.
    const owner = { id, isGone: () => true };
    return { ...deps, owner, tasks: createTaskLoader(stores.objects) };
  };
  const planner = process("planner");
  await prepareTasks(world.runId, undefined, planner);
  const { shards } = await planRun(world.runId, planner);
  const trials: Trial[] = [];
  for (const shard of shards)
    trials.push(...(await Array.fromAsync(readShard(world.runId, shard, planner.objects))));
  return { ...world, stores, process, trials: await withReferences(trials, sort, planner) };
}

async function withReferences(trials: Trial[], sort: TrialSort, { objects }: PipelineDeps): Promise<Trial[]> {
  if (!sort.reference) return trials;
  const trajectoryKey = "references/r.json";
  const trajectory = {
    schema_version: "ATIF-v1.8",
    agent: { name: "prod", version: "1" },
    steps: [{ step_id: 1, source: "agent", message: "done" }],
  };
  await objects.put(trajectoryKey, Buffer.from(JSON.stringify(trajectory)));
  const claim = { status: "passed" } as const;
  return trials.map((trial) => ({ ...trial, reference: { solutionId: "s", trajectoryKey, claim } }));
}

/** What was asked for since the last call. */
function drain(calls: CountedCalls): StoreCalls {
  const { objectPuts, objectGets, rowReads, rowWrites, writeUnits, indexUnits, gotKeys } = calls;
  const archives = gotKeys.filter((key) => key.startsWith("tasks/")).length;
  const rows = { rowReads: 0, rowWrites: 0, writeUnits: 0, indexUnits: 0, queriedRows: 0 };
  Object.assign(calls, { objectPuts: 0, objectGets: 0, ...rows, gotKeys: [] });
  // A task's archive is read once by each job, and counted with the job.
  return { objectPuts, objectGets: objectGets - archives, rowReads, rowWrites, writeUnits, indexUnits };
}

function times({ ...calls }: StoreCalls, count: number): StoreCalls {
  for (const name of Object.keys(calls) as (keyof StoreCalls)[]) calls[name] *= count;
  return calls;
}

describe("what a trial asks of the stores", () => {
  test.each(Object.entries(sorts))("%s", async (_name, sort) => {
    const run = await plannedRun(sort, 3);
    drain(run.stores.calls);
    const tracer = run.process("trace-job");
    for (const trial of run.trials) await traceTrial(trial, tracer);
    expect(drain(run.stores.calls)).toEqual(times(traceCalls(sort), 3));
    const evaluator = run.process("evaluate-job");
    for (const trial of run.trials) await evaluateTrial(trial, evaluator);
    expect(drain(run.stores.calls)).toEqual(times(evaluateCalls(sort), 3));
  });
});

test("what results and a dataset read of each trial", async () => {
  const count = 12;
  const run = await plannedRun(tests, count);
  const deps = run.process("job");
  for (const trial of run.trials) {
    await traceTrial(trial, deps);
    await evaluateTrial(trial, deps);
  }
  drain(run.stores.calls);
  await writeResults(run.runId, deps);
  expect(run.stores.calls.rowReads).toBe(count * exportCalls.resultsRowReads);
  drain(run.stores.calls);
  const spec = ExportSpec.parse({ name: "d", formats: ["sft", "trials"] });
  await exportDataset({ runId: run.runId, spec, runSpec: deps.spec }, deps);
  const perTrial = run.stores.calls.gotKeys.filter((key) => key.includes("/trials/")).length / count;
  expect(perTrial).toBe(exportCalls.datasetGets + exportCalls.trainingGets);
  expect(run.stores.calls.rowReads).toBe(0);
});
