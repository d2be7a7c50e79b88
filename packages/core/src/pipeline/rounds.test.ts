import { beforeEach, describe, expect, test } from "vitest";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { objectKeys, recordKeys } from "../keys.ts";
import type { Plan } from "../run/plan.ts";
import type { ShardFailure, ShardRecord, Tally } from "../run/shard-record.ts";
import { parseRunSpec } from "../run/spec.ts";
import { emptyTally } from "../run/tally.ts";
import { nextRound } from "./rounds.ts";

const runId = "run_1";
const startedAt = Date.parse("2026-01-02T00:00:00.000Z");
const before = "2026-01-01T00:00:00.000Z";
const during = "2026-01-02T01:00:00.000Z";
const input = { runId, execution: "run_1-1", round: 0, startedAt, resumed: false };
const shard = (shardId: string) => ({
  shardId,
  environment: "e",
  sandboxed: { trace: true, evaluate: true },
  trials: 4,
});
const plan: Plan = {
  schemaVersion: 1,
  runId,
  tasks: 8,
  trials: 8,
  excluded: 0,
  excludedBy: {},
  shards: [shard("s1"), shard("s2")],
};

describe("the next round of a run", () => {
  let stores: {
    objects: ReturnType<typeof memoryObjectStore>;
    records: ReturnType<typeof memoryRecordStore>;
  };
  const next = (over: Partial<typeof input> = {}, limits: Record<string, unknown> = {}) => {
    const spec = parseRunSpec(
      { name: "n", tasks: ["."], agents: [{ name: "a" }], limits: { run: limits } },
      "s",
    );
    const clock = { now: () => Date.parse(during) };
    return nextRound({ ...input, ...over }, { ...stores, spec, clock });
  };
  const report = async (shardId: string, tally: Partial<Tally>, more: Partial<ShardRecord> = {}) => {
    const row: ShardRecord = {
      schemaVersion: 1,
      shardId,
      updatedAt: during,
      tally: { ...emptyTally(), ...tally },
      failures: [],
      ...more,
    };
    await stores.records.put(recordKeys.shard(runId, shardId), row, "any");
  };
  const failure = (execution: string): ShardFailure => ({
    stage: "trace",
    at: during,
    reason: "out of memory",
    execution,
  });

  beforeEach(async () => {
    stores = { objects: memoryObjectStore(), records: memoryRecordStore() };
    await stores.objects.put(objectKeys.runShards(runId), Buffer.from(JSON.stringify(plan)));
  });

  test("has every shard at first", async () => {
    expect(await next()).toMatchObject({ next: "shards", shards: [{ traced: false }, { traced: false }] });
  });

  test("has the shards with work left, and knows which need no agent any more", async () => {
    await report("s1", { ended: 4 });
    await report("s2", { ended: 1, traced: 3 });
    expect(await next({ round: 1 })).toMatchObject({
      next: "shards",
      shards: [{ shard: { shardId: "s2" }, traced: true }],
    });
  });

  test("is the export once every trial has ended", async () => {
    await report("s1", { ended: 4 });
    await report("s2", { ended: 4 });
    expect(await next()).toEqual({ next: "export", trials: 8 });
  });

  test("leaves out a shard that failed in this execution, and stops with the reason when only such are left", async () => {
    await report("s1", { ended: 2 }, { failures: [failure("run_1-1")] });
    expect(await next()).toMatchObject({ next: "shards", shards: [{ shard: { shardId: "s2" } }] });
    await report("s2", { ended: 4 });
    expect(await next()).toEqual({ next: "stopped", reason: "out of memory" });
    expect(await next({ execution: "run_1-2" })).toMatchObject({ next: "shards" });
    const monthsLater = Date.parse("2026-06-01T00:00:00.000Z");
    expect(await next({ resumed: true, startedAt: monthsLater })).toMatchObject({ next: "shards" });
  });

  test("of a resumed run looks once at shards with trials that ended without a valid outcome", async () => {
    const outcomes = { scored: 3, "model-failed": 1 };
    await report("s1", { ended: 4, outcomes }, { updatedAt: before });
    await report("s2", { ended: 4, outcomes: { scored: 4 } }, { updatedAt: before });
    expect(await next()).toMatchObject({ next: "export" });
    expect(await next({ resumed: true })).toMatchObject({
      next: "shards",
      shards: [{ shard: { shardId: "s1" }, traced: false }],
    });
    await report("s1", { ended: 4, outcomes });
    expect(await next({ resumed: true, round: 1 })).toMatchObject({ next: "export" });
  });

  test("stops a run whose cap is reached", async () => {
    const usage = { promptTokens: 1, completionTokens: 0, cachedTokens: 0, costUsd: 3 };
    await report("s1", { ended: 1, usage });
    expect(await next({}, { costUsd: 2 })).toMatchObject({
      next: "stopped",
      reason: expect.stringContaining("limits.run.costUsd"),
    });
  });

  test("stops when rounds end well and change nothing, but not while they do", async () => {
    for (let round = 0; round < 3; round += 1)
      expect(await next({ round })).toMatchObject({ next: "shards" });
    await report("s1", { ended: 1 });
    expect(await next({ round: 3 })).toMatchObject({ next: "shards" });
    for (let round = 4; round < 6; round += 1)
      expect(await next({ round })).toMatchObject({ next: "shards" });
    expect(await next({ round: 6 })).toMatchObject({
      next: "stopped",
      reason: expect.stringContaining("logs"),
    });
  });
});
