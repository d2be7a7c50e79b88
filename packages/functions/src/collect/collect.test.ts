import { type CollectInput, ImageItem, ShardItem } from "@tracemill/aws/pipeline/messages.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import type { Plan, Shard } from "@tracemill/core/run/plan.ts";
import type { ShardFailure, ShardRecord, Tally } from "@tracemill/core/run/shard-record.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { emptyTally } from "@tracemill/core/run/tally.ts";
import { readJson } from "@tracemill/core/stored-json.ts";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { fullStack } from "../../test/fakes.ts";
import { type CollectDeps, collectRound } from "./collect.ts";

const runId = "run_01JABCDEFGHJKMNPQRSTVWXYZ0";
const execution = `${runId}-1`;

function shardOf(number: number, parts: Partial<Shard> = {}): Shard {
  const sandboxed = { trace: true, evaluate: true };
  return { shardId: `shd_${number}`, environment: `env${number}`, sandboxed, trials: 4, ...parts };
}

async function world(
  shards: Shard[],
  options: { spec?: Record<string, unknown>; stack?: CollectDeps["stack"]; missing?: string[] } = {},
) {
  const objects = memoryObjectStore();
  const records = memoryRecordStore();
  const clock = fakeClock();
  const agents = [{ name: "oracle" }];
  const spec = parseRunSpec({ name: "t", tasks: ["."], agents, ...options.spec }, "spec");
  const trials = shards.reduce((sum, shard) => sum + shard.trials, 0);
  const plan: Plan = { schemaVersion: 1, runId, tasks: 1, trials, excluded: 0, excludedBy: {}, shards };
  await objects.put(objectKeys.runShards(runId), Buffer.from(JSON.stringify(plan)));
  const asked: string[][] = [];
  const missing = new Set(options.missing);
  const deps: CollectDeps = {
    objects,
    records,
    spec,
    clock,
    stack: options.stack ?? fullStack,
    taskImages: async () => ({
      missing: async (environments) => {
        asked.push([...environments]);
        return environments.filter((each) => missing.has(each));
      },
    }),
  };
  const input = (parts: Partial<CollectInput> = {}): CollectInput => ({
    runId,
    execution,
    startedAt: clock.now(),
    resumed: false,
    round: 0,
    ...parts,
  });
  const report = (shardId: string, tally: Partial<Tally>, failures: ShardFailure[] = []) => {
    const updatedAt = new Date(clock.now()).toISOString();
    const row: ShardRecord = {
      schemaVersion: 1,
      shardId,
      updatedAt,
      tally: { ...emptyTally(), ...tally },
      failures,
    };
    return records.put(recordKeys.shard(runId, shardId), row, "any");
  };
  const listed = async <S extends z.ZodType>(key: string, schema: S) =>
    z.array(schema).parse(await readJson(objects, key));
  return { deps, input, report, listed, asked, missing };
}

describe("what an execution does next", () => {
  test("is the shards that have trials left, as a list in the bucket", async () => {
    const { deps, input, report, listed } = await world([shardOf(1), shardOf(2), shardOf(3)], {
      spec: { aws: { jobs: 7 } },
    });
    await report("shd_1", { ended: 4, outcomes: { scored: 4 } });
    await report("shd_2", { ended: 1, traced: 3 });
    const result = await collectRound(input(), deps);
    expect(result).toEqual({
      next: "shards",
      round: 1,
      list: {
        bucket: "bucket",
        key: `runs/${runId}/rounds/${execution}/0-shards.json`,
        count: 2,
        concurrency: 7,
        results: `runs/${runId}/rounds/${execution}/results/`,
      },
    });
    const items = await listed(objectKeys.runRound(runId, execution, 0, "shards"), ShardItem);
    expect(items.map(({ shardId, traced }) => [shardId, traced])).toEqual([
      ["shd_2", true],
      ["shd_3", false],
    ]);
  });

  test("is the same when the function is called again", async () => {
    const { deps, input, listed } = await world([shardOf(1), shardOf(2)]);
    const first = await collectRound(input(), deps);
    const key = objectKeys.runRound(runId, execution, 0, "shards");
    const list = await listed(key, ShardItem);
    expect(await collectRound(input(), deps)).toEqual(first);
    expect(await listed(key, ShardItem)).toEqual(list);
  });

  test("says little, however many shards there are", async () => {
    const { deps, input } = await world(Array.from({ length: 2_000 }, (_, index) => shardOf(index)));
    const result = await collectRound(input(), deps);
    expect(JSON.stringify(result).length).toBeLessThan(500);
  });

  test("is to build images first, of the environments that lack one", async () => {
    const { deps, input, listed, asked } = await world(
      [
        shardOf(1),
        shardOf(2),
        shardOf(3, { environment: "env2" }),
        shardOf(4, { sandboxed: { trace: false, evaluate: false } }),
      ],
      { spec: { sandbox: "job" }, missing: ["env2"] },
    );
    const result = await collectRound(input(), deps);
    expect(result).toMatchObject({ next: "images", round: 1, list: { count: 1, concurrency: 10 } });
    expect(asked).toEqual([["env1", "env2"]]);
    const [item] = await listed(objectKeys.runRound(runId, execution, 0, "images"), ImageItem);
    expect(item).toMatchObject({ environment: "env2", image: { queue: "queue-image" } });
  });

  test("is the shards once their images are there", async () => {
    const { deps, input, missing } = await world([shardOf(1)], {
      spec: { sandbox: "job" },
      missing: ["env1"],
    });
    expect((await collectRound(input(), deps)).next).toBe("images");
    missing.clear();
    expect(await collectRound(input({ round: 1 }), deps)).toMatchObject({ next: "shards", round: 2 });
  });

  test.each([
    { why: "a small one in a function", trials: 4, functions: fullStack.functions, place: "function" },
    { why: "a large one in a job", trials: 2_001, functions: fullStack.functions, place: "job" },
    { why: "in a job where the stage has no such function", trials: 4, functions: {}, place: "job" },
  ])("is the export when all trials have ended: $why", async ({ trials, functions, place }) => {
    const { deps, input, report } = await world([shardOf(1, { trials })], {
      stack: { ...fullStack, functions },
    });
    await report("shd_1", { ended: trials, outcomes: { scored: trials } });
    expect(await collectRound(input({ round: 2 }), deps)).toEqual({ next: "export", round: 2, in: place });
  });

  test("is to stop when all that is left has failed for good, with the reason", async () => {
    const { deps, input, report } = await world([shardOf(1)]);
    const at = "2026-01-01T00:00:00.000Z";
    await report("shd_1", { ended: 1 }, [{ stage: "trace", at, reason: "its image is gone", execution }]);
    const result = await collectRound(input({ round: 1 }), deps);
    expect(result).toMatchObject({ next: "stopped", round: 1 });
    expect(result.next === "stopped" && result.reason).toContain("its image is gone");
  });

  test("is to stop when the stage cannot give what the spec wants", async () => {
    const { gpu: _, ...jobs } = fullStack.jobs;
    const { deps, input } = await world([shardOf(1, { model: "m" })], {
      spec: { models: { m: {} } },
      stack: { ...fullStack, jobs },
    });
    expect(await collectRound(input(), deps)).toEqual({
      next: "stopped",
      round: 0,
      reason: expect.stringContaining("stage test has no GPU capacity"),
    });
  });
});
