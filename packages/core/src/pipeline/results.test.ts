import { describe, expect, test } from "vitest";
import { pipelineWorld } from "../../../../test/fakes/pipeline-world.ts";
import { writesAnswer } from "../../../../test/fakes/trial-world.ts";
import { TracemillError } from "../errors.ts";
import { objectKeys } from "../keys.ts";
import { collect } from "../streams.ts";
import { evaluateTrial } from "../trial/evaluate.ts";
import { traceTrial } from "../trial/trace.ts";
import { planRun, readPlan, readShard } from "./plan-run.ts";
import { prepareTasks } from "./prepare-tasks.ts";
import { RunSummary, summarize, writeResults } from "./results.ts";

/** A run of four trials: right, wrong, a model that failed, and one that nobody has begun. */
async function fourTrials() {
  const world = await pipelineWorld({
    agent: async (context, call) => {
      context.budget.spend({ promptTokens: 10, completionTokens: 2, cachedTokens: 0, costUsd: 0.25 });
      if (call === 3) throw new TracemillError("model-failed", '=cmd("x"), "quoted"');
      return writesAnswer(call === 1 ? "42" : "41")(context, call);
    },
    spec: { attempts: 4, retry: { max: 0 } },
  });
  const { deps } = world.process("a");
  await prepareTasks(world.runId, undefined, deps);
  const plan = await planRun(world.runId, deps);
  const shards = await Promise.all(
    plan.shards.map((shard) => Array.fromAsync(readShard(world.runId, shard, deps.objects))),
  );
  for (const trial of shards.flat().slice(0, 3)) {
    await traceTrial(trial, deps);
    await evaluateTrial(trial, deps);
  }
  return { ...world, deps };
}

async function textOf({ objects }: Awaited<ReturnType<typeof fourTrials>>, key: string): Promise<string> {
  const body = await objects.get(key);
  return body === undefined ? "" : (await collect(body)).toString("utf8");
}

describe("a run's results", () => {
  test("count rewards where there are some, and failures beside them", async () => {
    const { runId, deps } = await fourTrials();
    const summary = await summarize(runId, deps);
    expect(RunSummary.parse(summary)).toEqual(summary);
    expect(summary).toMatchObject({
      trials: 4,
      ended: 3,
      outcomes: { scored: 2, "model-failed": 1 },
      agents: { scripted: { trials: 4, reward: { n: 2, mean: 0.5 } } },
      attempts: 3,
      costUsd: 0.75,
      tokens: 36,
    });
  });

  test("are one line a trial, with no line that a spreadsheet would run", async () => {
    const world = await fourTrials();
    await writeResults(world.runId, world.deps);
    const table = await textOf(world, objectKeys.runResults(world.runId));
    const rows = table.trim().split("\n");
    expect(rows).toHaveLength(5);
    expect(rows.map((row) => row.split(",")[6])).toEqual([
      "outcome",
      "scored",
      "scored",
      "model-failed",
      "planned",
    ]);
    expect(rows[3]).toContain(`"'=cmd(""x""), ""quoted"""`);
    expect(await textOf(world, objectKeys.runSummary(world.runId))).toContain('"ended":3');
  });

  test("that are stopped are not there in part", async () => {
    const world = await fourTrials();
    const stopped = { ...world.deps, signal: AbortSignal.abort() };
    await expect(writeResults(world.runId, stopped)).rejects.toMatchObject({ code: "cancelled" });
    expect(await world.objects.head(objectKeys.runResults(world.runId))).toBeUndefined();
  });
});

describe("a run's tasks", () => {
  test("are listed once, where they came first", async () => {
    const world = await pipelineWorld();
    const { deps } = world.process("a");
    const folders = () => deps.taskFolders("answer");
    const twice = async function* () {
      yield* folders();
      yield* folders();
    };
    expect(await prepareTasks(world.runId, undefined, { ...deps, taskFolders: twice })).toEqual({
      tasks: 1,
      repeated: 1,
    });
  });

  test("that are no tasks are named by their folder", async () => {
    const world = await pipelineWorld();
    const { deps } = world.process("a");
    const broken = async function* () {
      yield {
        path: "tasks/broken",
        files: [{ path: "scenario.json", content: Buffer.from("{"), mode: 0o644 }],
      };
    };
    await expect(
      prepareTasks(world.runId, undefined, { ...deps, taskFolders: broken }),
    ).rejects.toMatchObject({
      code: "invalid-task",
      message: expect.stringContaining("tasks/broken"),
    });
  });

  test("of a source that was never mirrored say what to do", async () => {
    const world = await pipelineWorld({ spec: { tasks: ["snapshot:prod"] } });
    await expect(prepareTasks(world.runId, undefined, world.process("a").deps)).rejects.toThrow(
      "run `tracemill ingest --source prod` first",
    );
    await expect(readPlan(world.runId, world.objects)).rejects.toMatchObject({ code: "not-found" });
  });
});
