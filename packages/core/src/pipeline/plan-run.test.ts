import { describe, expect, test } from "vitest";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import { sha256Hex } from "../ids.ts";
import { objectKeys } from "../keys.ts";
import type { Agent } from "../ports/agent.ts";
import { parseRunSpec } from "../run/spec.ts";
import type { TaskRef } from "../run/trial.ts";
import { jsonLinesBody, readJsonLines } from "../stored-json.ts";
import { planRun, readPlan, readShard } from "./plan-run.ts";

const agent: Agent = {
  name: "a",
  version: "1",
  decidedBy: "task",
  needsSandbox: () => true,
  variants: (task) => (task.hasSolution ? { references: [undefined] } : { excluded: "it has no solution" }),
  run: () => Promise.reject(new Error("not run")),
};

function taskRef(index: number): TaskRef {
  return {
    hash: sha256Hex(`task ${index}`),
    kind: "harbor",
    name: `task-${index}`,
    group: `task-${index}`,
    environment: `env-${index % 3}`,
    origin: { kind: "folder", path: "t" },
    hasSolution: index % 4 !== 0,
    decidedBy: "tests",
    tools: [],
    needs: [],
    references: [],
  };
}

async function planned(tasks: number) {
  const objects = memoryObjectStore();
  const spec = parseRunSpec({ name: "n", tasks: ["."], agents: [{ name: "a" }], attempts: 2 }, "s");
  const refs = Array.from({ length: tasks }, (_, index) => taskRef(index));
  await objects.put(objectKeys.runTasks("run_1"), jsonLinesBody(refs));
  const { signal } = new AbortController();
  return { objects, deps: { spec, agents: () => agent, objects, signal } };
}

describe("a run's plan", () => {
  test("holds each trial in one shard, and lists what was left out with its reason", async () => {
    const { objects, deps } = await planned(200);
    const plan = await planRun("run_1", deps);
    expect(plan).toMatchObject({ tasks: 200, trials: 300, excluded: 50 });
    expect(plan.excludedBy).toEqual({ "a: it has no solution": 50 });
    const trials = (
      await Promise.all(plan.shards.map((shard) => Array.fromAsync(readShard("run_1", shard, objects))))
    ).flat();
    expect(new Set(trials.map(({ trialId }) => trialId)).size).toBe(300);
    const excluded = await Array.fromAsync(readJsonLines(objects, objectKeys.runExcluded("run_1")));
    expect(excluded).toHaveLength(50);
    expect(excluded[1]).toMatchObject({ task: "task-4", reason: "it has no solution" });
  });

  test("is the same when it is made again", async () => {
    const { objects, deps } = await planned(30);
    const plan = await planRun("run_1", deps);
    expect(await planRun("run_1", deps)).toEqual(plan);
    expect(await readPlan("run_1", objects)).toEqual(plan);
  });

  test("that is stopped is not there", async () => {
    const { objects, deps } = await planned(30);
    await expect(planRun("run_1", { ...deps, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "cancelled",
    });
    await expect(readPlan("run_1", objects)).rejects.toMatchObject({ code: "not-found" });
  });
});
