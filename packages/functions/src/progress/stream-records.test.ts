import { recordKeys } from "@tracemill/core/keys.ts";
import { readProgress, sumShards } from "@tracemill/core/run/progress.ts";
import { createRun } from "@tracemill/core/run/runs.ts";
import type { ShardRecord, Tally } from "@tracemill/core/run/shard-record.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { emptyTally } from "@tracemill/core/run/tally.ts";
import type { DynamoDBStreamEvent } from "aws-lambda";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { keptExecutions, keptLog } from "../../test/fakes.ts";
import type { MetricPoint } from "../ports.ts";
import type { ProgressDeps } from "./publish.ts";
import { publishChanges } from "./stream-records.ts";

async function world(limits: Record<string, unknown> = {}) {
  const objects = memoryObjectStore();
  const records = memoryRecordStore();
  const clock = fakeClock();
  const agents = [{ name: "oracle" }];
  const spec = parseRunSpec({ name: "t", tasks: ["."], agents, limits: { run: limits } }, "spec");
  const { runId } = await createRun(spec, { objects, records, clock });
  const executions = keptExecutions([
    { arn: "other", name: "run_other-1", startedAt: clock.now() },
    { arn: "ours", name: `${runId}-1`, startedAt: clock.now() },
  ]);
  const points: MetricPoint[] = [];
  const sums: string[] = [];
  const log = keptLog();
  const deps: ProgressDeps = {
    objects,
    records,
    clock,
    executions,
    sumShards: (id) => {
      sums.push(id);
      return sumShards(id, records);
    },
    metrics: (added) => points.push(...added),
    log,
  };
  /** A worker's report, and what the stream says of it. */
  const report = async (shardId: string, tally: Partial<Tally>) => {
    const updatedAt = new Date(clock.now()).toISOString();
    const row: ShardRecord = {
      schemaVersion: 1,
      shardId,
      updatedAt,
      tally: { ...emptyTally(), ...tally },
      failures: [],
    };
    await records.put(recordKeys.shard(runId, shardId), row, "any");
    return streamRecord(`run#${runId}`, `shard#${shardId}`, clock.now());
  };
  const total = (name: MetricPoint["name"], outcome?: string) =>
    points
      .filter(
        (point) => point.name === name && (outcome === undefined || point.dimensions?.Outcome === outcome),
      )
      .reduce((sum, { value }) => sum + value, 0);
  return { deps, runId, records, clock, executions, report, total, sums, log };
}

let sequence = 0;
function streamRecord(pk: string, sk: string, at: number): DynamoDBStreamEvent["Records"][number] {
  sequence += 1;
  return {
    eventName: "MODIFY",
    dynamodb: {
      Keys: { pk: { S: pk }, sk: { S: sk } },
      SequenceNumber: String(sequence),
      ApproximateCreationDateTime: Math.floor(at / 1_000),
    },
  };
}

const usage = { promptTokens: 900, completionTokens: 100, cachedTokens: 0, costUsd: 2 };

describe("the progress of a run", () => {
  test("is the sum over its shards, summed once a batch", async () => {
    const { deps, runId, records, report, sums } = await world();
    const Records = [
      await report("shd_1", { ended: 2, outcomes: { scored: 2 }, usage }),
      await report("shd_2", { ended: 1, traced: 3, outcomes: { scored: 1 }, usage }),
      streamRecord(`run#${runId}`, "trial#trl_1", 0),
      streamRecord("runs", runId, 0),
    ];
    expect(await publishChanges({ Records }, deps)).toEqual({ batchItemFailures: [] });
    const progress = await readProgress(runId, records);
    expect(progress?.tally).toMatchObject({ ended: 3, traced: 3, outcomes: { scored: 3 } });
    expect(progress?.tally.usage).toMatchObject({ promptTokens: 1_800, costUsd: 4 });
    expect(sums).toEqual([runId]);
  });

  test("is measured once, whatever comes again or late", async () => {
    const { deps, report, clock, total } = await world();
    const first = await report("shd_1", { ended: 1, attempts: 1, outcomes: { scored: 1 }, usage });
    await publishChanges({ Records: [first] }, deps);
    clock.advance(10_000);
    const second = await report("shd_1", { ended: 3, attempts: 3, outcomes: { scored: 3 }, usage });
    await publishChanges({ Records: [second] }, deps);
    await publishChanges({ Records: [first, first] }, deps);
    await publishChanges({ Records: [second] }, deps);
    expect(total("Attempts", "scored")).toBe(3);
    expect(total("TrialsEnded")).toBe(3);
    expect(total("CostUsd")).toBe(2);
    expect(total("Tokens")).toBe(1_000);
  });

  test("is not summed again for a change that it has counted", async () => {
    const { deps, report, clock, sums } = await world();
    const record = await report("shd_1", { ended: 1 });
    clock.advance(5_000);
    await publishChanges({ Records: [record] }, deps);
    await publishChanges({ Records: [record] }, deps);
    expect(sums).toHaveLength(1);
  });

  test("is measured once when two invocations sum at the same time", async () => {
    const { deps, report, total } = await world();
    const record = await report("shd_1", { ended: 4, outcomes: { scored: 4 } });
    await Promise.all([
      publishChanges({ Records: [record] }, deps),
      publishChanges({ Records: [record] }, deps),
    ]);
    expect(total("Attempts", "scored")).toBe(4);
  });
});

describe("a run's cap", () => {
  test.each([
    ["costUsd", { costUsd: 3 }, "4.0000 USD used, 3 allowed (`limits.run.costUsd`)"],
    ["tokens", { tokens: 1_500 }, "2000 tokens used, 1500 allowed (`limits.run.tokens`)"],
  ])("stops its execution, and no other run's: %s", async (_, limits, words) => {
    const { deps, report, executions } = await world(limits);
    const Records = [await report("shd_1", { usage }), await report("shd_2", { usage })];
    await publishChanges({ Records }, deps);
    expect(executions.stopped).toEqual([{ arn: "ours", cause: `${words}; what is done is kept` }]);
  });

  test("on time counts from the execution's start", async () => {
    const { deps, report, executions, clock } = await world({ time: "1h" });
    await publishChanges({ Records: [await report("shd_1", {})] }, deps);
    expect(executions.stopped).toEqual([]);
    clock.advance(3_600_000);
    await publishChanges({ Records: [await report("shd_1", {})] }, deps);
    expect(executions.stopped[0]?.cause).toMatch(/limits.run.time/);
  });

  test("still stops the execution when the first try to stop it failed", async () => {
    const { deps, report, executions } = await world({ costUsd: 1 });
    const Records = [await report("shd_1", { usage })];
    const down = { ...executions, stop: () => Promise.reject(new Error("throttled")) };
    const answer = await publishChanges({ Records }, { ...deps, executions: down });
    expect(answer.batchItemFailures).toEqual([{ itemIdentifier: Records[0]?.dynamodb?.SequenceNumber }]);
    await publishChanges({ Records }, deps);
    expect(executions.stopped).toHaveLength(1);
  });

  test("does not stop a run that writes its results: its last trials passed it, and none is left", async () => {
    const { deps, runId, records, report, executions } = await world({ costUsd: 3 });
    const at = "2026-01-01T00:00:00.000Z";
    const plan = {
      schemaVersion: 1,
      status: "done",
      startedAt: at,
      endedAt: at,
      output: { trials: 4, shards: 2 },
    };
    await records.put(recordKeys.stage(runId, "plan"), plan, "any");
    await publishChanges({ Records: [await report("shd_1", { ended: 2, usage })] }, deps);
    await publishChanges({ Records: [await report("shd_2", { ended: 2, usage })] }, deps);
    expect(executions.stopped).toEqual([]);
    await publishChanges({ Records: [await report("shd_2", { ended: 1, usage })] }, deps);
    expect(executions.stopped).toHaveLength(1);
  });

  test("that is not reached stops nothing", async () => {
    const { deps, report, executions } = await world({ costUsd: 100 });
    await publishChanges({ Records: [await report("shd_1", { usage })] }, deps);
    expect(executions.stopped).toEqual([]);
  });
});

test("a run whose row is damaged does not hold up the others", async () => {
  const { deps, runId, records, report, log } = await world();
  await records.put(recordKeys.shard("run_bad", "shd_1"), { nonsense: true }, "any");
  const Records = [streamRecord("run#run_bad", "shard#shd_1", 0), await report("shd_1", { ended: 1 })];
  expect(await publishChanges({ Records }, deps)).toEqual({ batchItemFailures: [] });
  expect((await readProgress(runId, records))?.tally.ended).toBe(1);
  expect(log.text()).toContain("record run#run_bad/shard#shd_1");
});
