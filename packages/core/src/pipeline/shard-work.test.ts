import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { manualClock } from "../../../../test/fakes/manual-clock.ts";
import { pipelineWorld } from "../../../../test/fakes/pipeline-world.ts";
import { writesAnswer } from "../../../../test/fakes/trial-world.ts";
import { TracemillError } from "../errors.ts";
import { recordKeys } from "../keys.ts";
import { readShardRecord } from "../run/progress.ts";
import type { PipelineDeps } from "./deps.ts";
import { steps } from "./handlers.ts";
import { readPlan, readShard } from "./plan-run.ts";
import { nextRound } from "./rounds.ts";
import { workOnShard } from "./shard-work.ts";

async function plannedWorld(options: Parameters<typeof pipelineWorld>[0] = {}) {
  const world = await pipelineWorld({ spec: { attempts: 3, concurrency: 2 }, ...options });
  const { deps } = world.process("planner");
  await steps.prepare(world.runId, {}, deps);
  await steps.plan(world.runId, {}, deps);
  const [shard] = (await readPlan(world.runId, world.objects)).shards;
  const shardId = shard?.shardId ?? "";
  const work = (stage: "trace" | "evaluate", worker: PipelineDeps) =>
    workOnShard(world.runId, shardId, stage, worker);
  const record = async () => (await readShardRecord(world.runId, shardId, world.records))?.row;
  return { ...world, shardId, work, record };
}

describe("a worker on a shard", () => {
  test("takes it through a stage and leaves its tally in the shard's row", async () => {
    const { process, work, record } = await plannedWorld();
    expect(await work("trace", process("a").deps)).toMatchObject({ traced: 3 });
    expect(await record()).toMatchObject({ tally: { traced: 3, ended: 0 } });
    const second = { ...process("b").deps, owner: { id: "b", isGone: () => true } };
    expect(await work("evaluate", second)).toMatchObject({ ended: 3 });
    expect(await record()).toMatchObject({ tally: { traced: 0, ended: 3, outcomes: { scored: 3 } } });
  });

  test("waits for trials that another worker holds, and takes them when their lease runs out", async () => {
    const clock = manualClock();
    const { process, work, runId, records, trialIds } = await heldWorld(clock);
    let isDone = false;
    const working = work("trace", { ...process("b").deps, clock }).finally(() => {
      isDone = true;
    });
    const letPass = async (ms: number) => {
      const until = clock.now() + ms;
      while (clock.now() < until && !isDone) {
        // Real work (zstd has threads of its own) goes on between the steps of the clock.
        await setTimeout(2);
        await clock.advance(1_000);
      }
    };
    await letPass(50_000);
    expect(isDone).toBe(false);
    expect(await records.get(recordKeys.trial(runId, trialIds[0] ?? ""))).toMatchObject({
      data: { status: "tracing", lease: { owner: "a" } },
    });
    await letPass(600_000);
    expect(await working).toMatchObject({ traced: 3 });
  });

  test("does not wait in `evaluate` for trials that no agent has done", async () => {
    const { process, work } = await plannedWorld();
    expect(await work("evaluate", process("a").deps)).toMatchObject({ busy: 3 });
  });

  test("keeps what is known of the shard's failures, and reports also when its work fails", async () => {
    const { process, work, record, records, runId, shardId } = await plannedWorld();
    const failure = {
      stage: "trace",
      at: "2026-01-01T00:00:00.000Z",
      reason: "spot",
      execution: "e",
    } as const;
    await work("trace", process("a").deps);
    const row = await record();
    await records.put(recordKeys.shard(runId, shardId), { ...row, failures: [failure] }, "any");
    const { deps } = process("b");
    const full: PipelineDeps["objects"] = {
      ...deps.objects,
      putIfAbsent: () => Promise.reject(new TracemillError("storage-full", "full")),
    };
    const worker = { ...deps, objects: full, owner: { id: "b", isGone: () => true } };
    await expect(work("evaluate", worker)).rejects.toMatchObject({ code: "storage-full" });
    expect(await record()).toMatchObject({ failures: [failure], tally: { traced: 3 } });
  });

  test("that dies before it has begun a trial again leaves its shard with work, for the next round", async () => {
    const { process, work, record, runId, objects, records } = await plannedWorld({
      agent: async (context, call) => {
        if (call === 1) throw new TracemillError("model-failed", "no quota", { retryable: true });
        return writesAnswer("42")(context, call);
      },
      spec: { attempts: 3, concurrency: 1, retry: { max: 0 } },
    });
    const { deps } = process("a");
    await work("trace", deps);
    await work("evaluate", { ...deps, owner: { id: "a2", isGone: () => true } });
    expect(await record()).toMatchObject({ tally: { ended: 3 } });
    const startedAt = Date.now() + 1;
    const resumed = { ...process("b").deps, reopenBefore: startedAt };
    const broken: PipelineDeps = {
      ...resumed,
      limit: () => Promise.reject(new TracemillError("storage-failed", "gone")),
    };
    await expect(
      work("trace", { ...broken, clock: { ...broken.clock, now: () => startedAt } }),
    ).rejects.toThrow("gone");
    expect(await record()).toMatchObject({ tally: { ended: 2 } });
    const input = { runId, execution: "e-2", round: 1, startedAt, resumed: true };
    expect(await nextRound(input, { objects, records, spec: deps.spec, clock: deps.clock })).toMatchObject({
      next: "shards",
      shards: [{ traced: false }],
    });
  });

  test("begins nothing once all workers together have reached the run's cap", async () => {
    const limits = { run: { costUsd: 1 } };
    const { process, work, records, runId, calls } = await plannedWorld({ spec: { attempts: 3, limits } });
    const usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0, costUsd: 2 };
    const tally = { ended: 0, traced: 0, attempts: 0, outcomes: {}, usage };
    const updatedAt = "2026-01-01T00:00:00.000Z";
    await records.put(
      recordKeys.progress(runId),
      { schemaVersion: 1, runId, updatedAt, tally, failedShards: 0 },
      "any",
    );
    expect(await work("trace", process("a").deps)).toMatchObject({ skipped: 3 });
    expect(calls.agent).toBe(0);
  });
});

/** A shard whose first trial is held by a worker that never says anything again. */
async function heldWorld(clock: ReturnType<typeof manualClock>) {
  const world = await plannedWorld({ now: () => clock.now() });
  const trialIds: string[] = [];
  const { deps } = world.process("a");
  for await (const { trialId } of readShard(world.runId, { shardId: world.shardId }, world.objects))
    trialIds.push(trialId);
  const [trialId = ""] = trialIds;
  const lease = { owner: "a", until: clock.now() + 60_000 };
  const startedAt = new Date(clock.now()).toISOString();
  await deps.records.put(
    recordKeys.trial(world.runId, trialId),
    { schemaVersion: 1, trialId, status: "tracing", attempts: [], attempt: 1, startedAt, lease },
    "absent",
  );
  return { ...world, trialIds };
}
