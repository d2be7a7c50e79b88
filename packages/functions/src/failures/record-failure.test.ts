import type { FailureInput } from "@tracemill/aws/pipeline/messages.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import type { Plan, Shard } from "@tracemill/core/run/plan.ts";
import { readShardRecord } from "@tracemill/core/run/progress.ts";
import { createRun, readRun } from "@tracemill/core/run/runs.ts";
import type { ShardRecord } from "@tracemill/core/run/shard-record.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { emptyTally } from "@tracemill/core/run/tally.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { keptLog } from "../../test/fakes.ts";
import { type FailureDeps, recordFailure } from "./record-failure.ts";

const spec = parseRunSpec({ name: "t", tasks: ["."], agents: [{ name: "oracle" }] }, "spec");

async function world(logLines: readonly string[] = []) {
  const log = keptLog();
  const deps: FailureDeps = {
    objects: memoryObjectStore(),
    records: memoryRecordStore(),
    clock: fakeClock(),
    jobLogs: { tail: async () => [...logLines] },
    log,
  };
  const { runId } = await createRun(spec, deps);
  const failed = (parts: Partial<FailureInput> = {}): FailureInput => ({
    runId,
    execution: `${runId}-1`,
    stage: "trace",
    target: "shd_1",
    error: jobError("job-1"),
    ...parts,
  });
  const shard = async (shardId = "shd_1") => (await readShardRecord(runId, shardId, deps.records))?.row;
  return { deps, runId, failed, shard, log };
}

function jobError(jobId: string): FailureInput["error"] {
  const Container = { ExitCode: 1, LogStreamName: "trace/default/1" };
  const Cause = JSON.stringify({
    JobId: jobId,
    StatusReason: "Essential container in task exited",
    Container,
  });
  return { Error: "States.TaskFailed", Cause };
}

function shardOf(shardId: string, environment: string, evaluate = true): Shard {
  return { shardId, environment, sandboxed: { trace: false, evaluate }, trials: 1 };
}

describe("a shard whose job failed", () => {
  test("has the failure in its row, once, however often it is recorded", async () => {
    const { deps, failed, shard } = await world();
    await recordFailure(failed(), deps);
    await recordFailure(failed(), deps);
    expect((await shard())?.failures).toEqual([
      {
        stage: "trace",
        at: "2026-01-01T00:00:00.000Z",
        reason: expect.stringContaining("trace of shard shd_1: ended with exit code 1"),
        execution: failed().execution,
        jobId: "job-1",
        logStream: "trace/default/1",
      },
    ]);
  });

  test("keeps what its workers counted, and what failed before, the newest twenty", async () => {
    const { deps, runId, failed, shard } = await world();
    const row: ShardRecord = {
      schemaVersion: 1,
      shardId: "shd_1",
      updatedAt: "2026-01-01T00:00:00.000Z",
      tally: { ...emptyTally(), ended: 3 },
      failures: [],
    };
    await deps.records.put(recordKeys.shard(runId, "shd_1"), row, "absent");
    for (let job = 1; job <= 22; job += 1)
      await recordFailure(failed({ error: jobError(`job-${job}`) }), deps);
    const stored = await shard();
    expect(stored?.tally.ended).toBe(3);
    expect(stored?.failures.map(({ jobId }) => jobId)).toEqual(
      Array.from({ length: 20 }, (_, index) => `job-${index + 3}`),
    );
  });

  test("loses nothing to a worker that writes the row at the same time", async () => {
    const { deps, runId, failed, shard } = await world();
    await recordFailure(failed(), deps);
    let worker = 1;
    const records: typeof deps.records = {
      ...deps.records,
      put: async (key, data, condition) => {
        if (worker-- > 0) {
          const held = await readShardRecord(runId, "shd_1", deps.records);
          const tally = { ...emptyTally(), ended: 7 };
          await deps.records.put(key, { ...held?.row, tally }, "any");
        }
        return deps.records.put(key, data, condition);
      },
    };
    await recordFailure(failed({ error: jobError("job-2") }), { ...deps, records });
    expect((await shard())?.tally.ended).toBe(7);
    expect((await shard())?.failures).toHaveLength(2);
  });

  test("says what the job said at its end", async () => {
    const { deps, failed } = await world([
      '{"level":"info","message":"trial ended"}',
      "plain words",
      '{"level":"ERROR","message":"failed","reason":"tasks/abc.tar.zst: no such object"}',
      "    at somewhere",
    ]);
    const { reason } = await recordFailure(failed(), deps);
    expect(reason).toMatch(/^trace of shard shd_1: tasks\/abc.tar.zst: no such object; /);
  });

  test("is recorded without those words when the log cannot be read", async () => {
    const { deps, failed, shard, log } = await world();
    const jobLogs = { tail: () => Promise.reject(new Error("denied")) };
    await recordFailure(failed(), { ...deps, jobLogs });
    expect((await shard())?.failures).toHaveLength(1);
    expect(log.text()).toContain("denied");
  });
});

test("an image that cannot be built fails the shards that wait for it, and no others", async () => {
  const { deps, runId, failed, shard } = await world([
    '{"level":"error","reason":"RUN pip install nope: no matching distribution"}',
  ]);
  const shards = [shardOf("shd_1", "env1"), shardOf("shd_2", "env2"), shardOf("shd_3", "env1", false)];
  const plan: Plan = {
    schemaVersion: 1,
    runId,
    tasks: 3,
    trials: 3,
    excluded: 0,
    excludedBy: {},
    shards,
  };
  await deps.objects.put(objectKeys.runShards(runId), Buffer.from(JSON.stringify(plan)));
  await recordFailure(failed({ stage: "image", target: "env1" }), deps);
  expect((await shard("shd_1"))?.failures[0]?.reason).toContain(
    "image of environment env1: RUN pip install nope",
  );
  expect(await shard("shd_2")).toBeUndefined();
  expect(await shard("shd_3")).toBeUndefined();
});

test("a step that failed stops the run, with the reason", async () => {
  const { deps, runId, failed } = await world();
  const Cause = JSON.stringify({ errorType: "TracemillError", errorMessage: "spec: broken" });
  await recordFailure(
    failed({ stage: "plan", target: "-", error: { Error: "TracemillError", Cause } }),
    deps,
  );
  expect(await readRun(runId, deps.records)).toMatchObject({
    status: "stopped",
    reason: "stage plan: spec: broken",
  });
});

test("a failure leaves open what a resumed run has to look at again", async () => {
  const { deps, runId, failed, shard } = await world();
  const updatedAt = "2025-12-31T00:00:00.000Z";
  const row = { schemaVersion: 1, shardId: "shd_1", updatedAt, tally: emptyTally(), failures: [] };
  await deps.records.put(recordKeys.shard(runId, "shd_1"), row, "absent");
  await recordFailure(failed(), deps);
  expect((await shard())?.updatedAt).toBe(updatedAt);
});
