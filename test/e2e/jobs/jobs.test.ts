import { join, resolve } from "node:path";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { TrialRecord } from "@tracemill/core/run/trial.ts";
import { readJson } from "@tracemill/core/stored-json.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pythonMissing } from "../../emulators/venv.ts";
import {
  type Cloud,
  type JobDone,
  openCloud,
  runJob,
  runJobs,
  slowTask,
  startJob,
  startRun,
  writeFolder,
} from "./cloud.ts";
import { attemptKeys, outcomesOf, rowsOf, shardRecordOf, shardsOf } from "./trials.ts";

const modelServer = resolve(import.meta.dirname, "../../servers/openai-server.ts");
const missing = await pythonMissing();
const title = missing === undefined ? "jobs" : `jobs (skipped: ${missing})`;

describe.skipIf(missing !== undefined)(title, () => {
  let cloud: Cloud;
  beforeAll(async () => {
    cloud = await openCloud();
  }, 300_000);
  afterAll(() => cloud?.[Symbol.asyncDispose]());

  /** A run of slow tasks that share an environment, so a shard, planned by the jobs of its steps. */
  async function plannedRun(tasks: number, seconds: number, spec: Record<string, unknown> = {}) {
    const folder = join(cloud.dir, `tasks-${tasks}-${seconds}`);
    for (let index = 0; index < tasks; index += 1)
      await writeFolder(join(folder, `task-${index}`), slowTask(`task-${index}`, seconds));
    const runId = await startRun(cloud, {
      name: "jobs",
      tasks: [folder],
      agents: [{ name: "oracle" }],
      concurrency: 2,
      export: { name: "jobs", formats: ["sft"] },
      ...spec,
    });
    await runJobs(cloud, ...["ingest", "prepare", "plan"].map((stage) => ({ stage, runId })));
    const [shard, ...others] = await shardsOf(runId, cloud);
    if (shard === undefined || others.length > 0) throw new Error("one shard was to be planned");
    return { runId, shard, target: shard.shardId };
  }

  /** Under the lease of the job that verifies it. */
  const isVerified = (row: TrialRecord): boolean =>
    row.status === "traced" && row.lease?.owner.includes("/evaluate/") === true;

  const reasonOf = ({ lines }: JobDone) => lines.at(-1)?.reason;

  test("take a run from its spec to its dataset", async () => {
    const { runId, shard, target } = await plannedRun(4, 0);
    const [traced] = await runJobs(
      cloud,
      { stage: "trace", runId, target },
      { stage: "evaluate", runId, target },
    );
    expect(traced?.lines.filter(({ message }) => message === "attempt-traced")).toHaveLength(4);
    expect(traced?.lines.at(-1)).toMatchObject({ message: "job-ended", exitCode: 0 });
    expect(await outcomesOf(runId, shard, cloud)).toEqual(["scored", "scored", "scored", "scored"]);
    expect(await shardRecordOf(runId, shard, cloud)).toMatchObject({
      tally: { ended: 4, traced: 0, attempts: 4, outcomes: { scored: 4 } },
      failures: [],
      job: { jobId: `job-evaluate-${target}` },
    });
    const [exported] = await runJobs(cloud, { stage: "export", runId });
    expect(exported?.lines.find(({ message }) => message === "step-done")).toMatchObject({
      output: { trials: 4, dataset: expect.stringMatching(/^datasets\/jobs\//) as unknown },
    });
    expect(await readJson(cloud.objects, objectKeys.runSummary(runId))).toMatchObject({
      outcomes: { scored: 4 },
    });
  });

  test("whose work is done already end at once", async () => {
    const { runId, shard, target } = await plannedRun(2, 0);
    const trace = { stage: "trace", runId, target };
    await runJobs(cloud, trace, { stage: "evaluate", runId, target });
    const keys = await attemptKeys(runId, cloud);
    const [again] = await runJobs(cloud, { ...trace, jobId: "another" }, { stage: "plan", runId });
    expect(again?.lines.find(({ message }) => message === "shard-done")).toMatchObject({
      ended: 2,
      traced: 0,
    });
    expect(await outcomesOf(runId, shard, cloud)).toEqual(["scored", "scored"]);
    expect(await attemptKeys(runId, cloud)).toEqual(keys);
  });

  test("told to stop give back what is in flight; the next attempt finishes, with nothing twice", async () => {
    const { runId, shard, target } = await plannedRun(6, 2);
    const trace = startJob(cloud, { stage: "trace", runId, target });
    await trace.logged("attempt-traced", 1);
    await trace.logged("attempt-started", 4);
    const toldAt = Date.now();
    trace.child.kill("SIGTERM");
    const stopped = await trace.finished;
    expect(stopped).toMatchObject({ code: 75, signal: null });
    expect(Date.now() - toldAt).toBeLessThan(25_000);
    const rows = await rowsOf(runId, shard, cloud);
    expect(rows.map(({ status }) => status)).not.toContain("tracing");
    expect(rows.filter(({ status }) => status === "waiting").length).toBeGreaterThan(0);
    const { tally } = (await shardRecordOf(runId, shard, cloud)) ?? {};
    expect(tally).toMatchObject({
      traced: rows.filter(({ status }) => status === "traced").length,
      outcomes: { cancelled: rows.filter(({ status }) => status === "waiting").length },
    });
    await runJobs(cloud, { stage: "trace", runId, target, attempt: 2 }, { stage: "evaluate", runId, target });
    await expectEachScoredOnce(runId, shard);
    expect((await outcomesOf(runId, shard, cloud)).filter((text) => text === "cancelled scored").length).toBe(
      rows.filter(({ status }) => status === "waiting").length,
    );
  });

  test("told to stop while they verify do so too", async () => {
    const { runId, shard, target } = await plannedRun(3, 2);
    await runJobs(cloud, { stage: "trace", runId, target });
    const evaluate = startJob(cloud, { stage: "evaluate", runId, target });
    await expect
      .poll(async () => (await rowsOf(runId, shard, cloud)).filter(isVerified).length, { timeout: 20_000 })
      .toBe(2);
    evaluate.child.kill("SIGTERM");
    expect((await evaluate.finished).code).toBe(75);
    const rows = await rowsOf(runId, shard, cloud);
    expect(rows.map(({ status }) => status)).toEqual(["traced", "traced", "traced"]);
    await runJobs(cloud, { stage: "evaluate", runId, target, attempt: 2 });
    await expectEachScoredOnce(runId, shard);
  });

  test("killed in the middle leave nothing that the next attempt has to wait for", async () => {
    const { runId, shard, target } = await plannedRun(6, 2);
    const trace = startJob(cloud, { stage: "trace", runId, target });
    await trace.logged("attempt-traced", 1);
    await trace.logged("attempt-started", 4);
    trace.child.kill("SIGKILL");
    expect(await trace.finished).toMatchObject({ signal: "SIGKILL" });
    expect((await rowsOf(runId, shard, cloud)).filter(({ status }) => status === "tracing")).toHaveLength(2);
    const startedAt = Date.now();
    await runJobs(cloud, { stage: "trace", runId, target, attempt: 2 });
    // Leases of jobs last 15 minutes.
    expect(Date.now() - startedAt).toBeLessThan(60_000);
    await runJobs(cloud, { stage: "evaluate", runId, target });
    await expectEachScoredOnce(runId, shard);
    const outcomes = await outcomesOf(runId, shard, cloud);
    expect(outcomes.filter((text) => text === "environment-failed scored")).toHaveLength(2);
  });

  async function expectEachScoredOnce(runId: string, shard: Parameters<typeof rowsOf>[1]): Promise<void> {
    const rows = await rowsOf(runId, shard, cloud);
    expect(rows).toHaveLength(shard.trials);
    for (const { status, attempts } of rows) {
      expect(status).toBe("ended");
      expect(attempts.filter(({ outcome }) => outcome.kind === "scored")).toHaveLength(1);
      expect(attempts.at(-1)?.outcome).toEqual({ kind: "scored", rewards: { reward: 1 } });
    }
    const { tally } = (await shardRecordOf(runId, shard, cloud)) ?? {};
    expect(tally).toMatchObject({ ended: shard.trials, traced: 0, outcomes: { scored: shard.trials } });
  }

  test("serve their shard's model, and go on when its server dies in the middle", async () => {
    const command = [process.execPath, modelServer, "--port", "{port}", "--model", "{model}"];
    const lives = join(cloud.dir, "lives");
    const ills = ["--load-ms", "1000", "--die-after", "3", "--lives-file", lives];
    const { runId, shard, target } = await plannedRun(5, 0, {
      agents: [{ name: "tools", model: "acme/m" }],
      models: { "acme/m": { command: [...command, ...ills], model: "weights" } },
    });
    expect(shard.model).toBe("acme/m");
    const [traced] = await runJobs(cloud, { stage: "trace", runId, target });
    const said = traced?.lines.map(({ message }) => message) ?? [];
    expect(said.filter((message) => message === "model-server-up")).toHaveLength(2);
    expect(said.filter((message) => message === "model-server-died")).toHaveLength(1);
    const { tally, job } = (await shardRecordOf(runId, shard, cloud)) ?? {};
    expect(tally).toMatchObject({ traced: 5 });
    expect(tally?.usage.completionTokens).toBeGreaterThan(0);
    expect(job?.tokensPerSecond).toBeGreaterThan(0);
    await runJobs(cloud, { stage: "evaluate", runId, target });
    const outcomes = await outcomesOf(runId, shard, cloud);
    expect(outcomes.every((text) => text.endsWith("scored"))).toBe(true);
  });

  test("started wrongly say how they are started", async () => {
    const done = await runJob(cloud, { stage: "dance", runId: "run_x" });
    expect(done.code).toBe(2);
    expect(done.lines).toMatchObject([
      { level: "error", reason: expect.stringContaining("`stage`") as unknown },
    ]);
    const unset = await runJob(cloud, { stage: "plan", runId: "run_x", env: { TRACEMILL_BUCKET: "" } });
    expect(unset.code).toBe(2);
    expect(reasonOf(unset)).toContain("TRACEMILL_BUCKET");
  });

  test("that fail for good say why in their last line", async () => {
    const absent = await runJob(cloud, { stage: "plan", runId: "run_x" });
    expect(absent.code).toBe(1);
    expect(absent.lines.at(-1)).toMatchObject({ level: "error", message: "job-ended", exitCode: 1 });
    expect(reasonOf(absent)).toContain("runs/run_x/spec.json");
    const { runId } = await plannedRun(2, 0);
    const noShard = await runJob(cloud, { stage: "trace", runId, target: "shd_none" });
    expect(noShard.code).toBe(1);
    expect(reasonOf(noShard)).toContain("shd_none");
  });

  test("never write their credentials into the log", async () => {
    const { runId, target } = await plannedRun(2, 0);
    const [done] = await runJobs(cloud, { stage: "trace", runId, target });
    expect(JSON.stringify(done)).not.toContain(cloud.env.AWS_SECRET_ACCESS_KEY);
  });
});
