import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { countingStores } from "../../../../test/fakes/counting-stores.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { plannedRunId, plannedSpec as spec, writePlannedRun } from "../../../../test/fakes/planned-run.ts";
import { fixtureTrial } from "../../../../test/fakes/run-fixture.ts";
import { objectKeys, recordKeys } from "../keys.ts";
import { readStandings, writeResults } from "../pipeline/results.ts";
import { reportShard } from "../pipeline/shard-report.ts";
import type { RunRecord } from "../run/run.ts";
import { createRun, setRunState } from "../run/runs.ts";
import { reportNow, summaryNow } from "./report-now.ts";
import { RunReport } from "./schema.ts";

const runId = plannedRunId;
const finishedAt = "2026-01-01T02:00:00.000Z";

async function runOf(ended: number, options: { trials?: number; planned?: number } = {}) {
  const stores = { objects: memoryObjectStore(), records: memoryRecordStore(), clock: fakeClock() };
  const plan = await writePlannedRun({ ended, ...options }, stores);
  const counted = countingStores(stores);
  const finish = (): Promise<RunRecord> =>
    setRunState(runId, { status: "finished", finishedAt }, stores.records);
  const running = (): Promise<RunRecord> => setRunState(runId, { status: "running" }, stores.records);
  return { ...stores, plan, counted, finish, running };
}

const never = new AbortController().signal;

describe("the report of a finished run", () => {
  test("is written with its results, and read without any trial's row", async () => {
    const { objects, records, counted, finish } = await runOf(60);
    const run = await finish();
    await writeResults(runId, { objects, records, signal: never });
    const report = await reportNow(run, counted);
    expect(RunReport.parse(report)).toEqual(report);
    expect(counted.calls).toMatchObject({ rowReads: 0, queriedRows: 0, objectGets: 1, objectPuts: 0 });
  });

  test("is made where there is none, kept, and the same", async () => {
    const { objects, records, counted, finish } = await runOf(60);
    const run = await finish();
    const made = await reportNow(run, counted);
    expect(counted.calls).toMatchObject({ rowReads: 60, objectPuts: 1 });
    expect(await reportNow(run, counted)).toEqual(made);
    expect(counted.calls.rowReads).toBe(60);
    await writeResults(runId, { objects, records, signal: never });
    expect(await reportNow(run, counted)).toEqual(made);
  });

  test("is given to somebody who may only read", async () => {
    const { objects, records, finish } = await runOf(9);
    const readOnly = { ...objects, putIfAbsent: () => Promise.reject(new Error("AccessDenied")) };
    expect(await reportNow(await finish(), { objects: readOnly, records })).toMatchObject({ ended: 9 });
  });

  test("counts rewards where there are some, and failures beside them", async () => {
    const { objects, records, finish } = await runOf(60);
    const report = await reportNow(await finish(), { objects, records });
    expect(report).toMatchObject({ tasks: 20, trials: 60, ended: 60, excluded: 2, basis: "trials" });
    const [replay, terminus] = report.agents;
    // Even trials are replays: of ten, two of the five fail for other reasons than the agent's.
    expect(replay).toMatchObject({
      agent: "replay",
      trials: 30,
      outcomes: { scored: 18, "agent-failed": 6, "environment-failed": 6 },
      reward: { n: 24, mean: 9 / 24 },
      decidedBy: { tests: 24 },
      passAtK: [],
    });
    expect(terminus).toMatchObject({ agent: "terminus/openai/gpt-test", model: "openai/gpt-test" });
    expect(replay?.otherRewards).toEqual({ style: { n: 18, mean: 1 } });
    expect(report.agents.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(75);
    expect(terminus).toMatchObject({ attempts: 45, usage: { costUsd: 0.25 * 45 } });
    expect(terminus?.times).toMatchObject({ maxMs: 60_000 });
    expect(report.reasons).toEqual([
      expect.objectContaining({ outcome: "environment-failed", reason: "the image is not there", count: 27 }),
      expect.objectContaining({ outcome: "agent-failed", reason: "out of time", count: 12 }),
    ]);
  });

  test("has tables by task, group and source, the lowest mean first, and a comparison of its agents", async () => {
    const { objects, records, finish } = await runOf(60);
    const {
      byTask,
      byGroup,
      bySource,
      comparisons,
      agents: found,
    } = await reportNow(await finish(), {
      objects,
      records,
    });
    expect([byTask.total, byGroup.total, bySource.total]).toEqual([20, 10, 1]);
    const means = byTask.rows.map(({ mean = -1 }) => mean);
    expect(means).toEqual(means.toSorted((a, b) => a - b));
    for (const { rows } of [byTask, byGroup, bySource])
      expect(rows.reduce((sum, { trials }) => sum + trials, 0)).toBe(60);
    expect(bySource.rows).toMatchObject([{ name: "prod", tasks: 20, failed: 12 }]);
    const best = found.toSorted((a, b) => (b.reward?.mean ?? 0) - (a.reward?.mean ?? 0))[0];
    expect(comparisons).toMatchObject([{ a: best?.agent }]);
    const [{ better = 0, equal = 0, worse = 0, tasks = 0 } = {}] = comparisons;
    expect(better + equal + worse).toBe(tasks);
  });
});

describe("the report of a run that goes on", () => {
  test("counts its trials as they stand, and is not kept", async () => {
    const { objects, records, counted, running } = await runOf(25, { trials: 60 });
    const run = await running();
    expect(await reportNow(run, counted)).toMatchObject({ trials: 60, ended: 25, basis: "trials" });
    expect(await objects.head(objectKeys.runReport(runId))).toBeUndefined();
    await records.delete(recordKeys.trial(runId, fixtureTrial(runId, 0).trialId), "any");
    expect(await reportNow(run, counted)).toMatchObject({ ended: 24 });
  });

  test("adds up its shards when it is large: a row a shard, and the same means", async () => {
    const { objects, records, clock, counted, running, plan } = await runOf(60, { planned: 6_000 });
    const run = await running();
    for (const shard of plan.shards) await reportShard(shard, { runId, spec, objects, records, clock });
    const report = await reportNow(run, counted);
    expect(counted.calls).toMatchObject({ rowReads: 0, queriedRows: 3 });
    expect(RunReport.parse(report)).toMatchObject({ basis: "shards", trials: 6_000, ended: 60 });
    const exact = await reportNow(run, counted, { everyTrial: true });
    expect(exact.basis).toBe("trials");
    for (const [index, { reward, outcomes, usage, attempts }] of exact.agents.entries()) {
      expect(report.agents[index]).toMatchObject({ outcomes, usage, attempts });
      expect(report.agents[index]?.reward?.mean).toBeCloseTo(reward?.mean ?? -1, 12);
    }
    const { summary, basis } = await summaryNow(run, counted);
    expect({ basis, ended: summary.ended, outcomes: summary.outcomes }).toEqual({
      basis: "shards",
      ended: 60,
      outcomes: { scored: 36, "agent-failed": 12, "environment-failed": 12 },
    });
  });

  test("says that there is no plan yet", async () => {
    const stores = { objects: memoryObjectStore(), records: memoryRecordStore(), clock: fakeClock() };
    await expect(reportNow(await createRun(spec, stores, runId), stores)).rejects.toMatchObject({
      code: "not-found",
    });
  });
});

test("trials are read in plan order, and those that are passed over are not read", async () => {
  const { counted } = await runOf(60);
  const ids = await Array.fromAsync(readStandings(runId, counted, 45), ({ trial }) => trial.trialId);
  expect(ids).toEqual(Array.from({ length: 15 }, (_, index) => fixtureTrial(runId, 45 + index).trialId));
  expect(counted.calls.rowReads).toBe(15);
  expect(await Array.fromAsync(readStandings(runId, counted, 60))).toEqual([]);
});
