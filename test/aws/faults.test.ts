import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { recordKeys } from "@tracemill/core/keys.ts";
import { RunRecord } from "@tracemill/core/run/run.ts";
import { ShardRecord } from "@tracemill/core/run/shard-record.ts";
import { TrialRecord } from "@tracemill/core/run/trial.ts";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tracemill, type UserMachine } from "../e2e/tracemill.ts";
import { until } from "../emulators/peer/until.ts";
import { type Cloud, missing, openCloud } from "./cloud.ts";
import { slowSpec, slowTask } from "./slow-task.ts";
import { cloudUser, runIn } from "./user.ts";

const trials = 4;

describe.skipIf(missing !== undefined)(`trouble on AWS${missing ? ` (${missing})` : ""}`, () => {
  let cloud: Cloud;
  let user: UserMachine;

  beforeAll(async () => {
    cloud = await openCloud();
  });

  beforeEach(async () => {
    user = await cloudUser(cloud);
    await slowTask(user.dir, 0.5);
  });

  afterEach(async () => {
    await cloud.control.clearFaults();
    await user[Symbol.asyncDispose]();
  });

  async function specOf(name: string, more = ""): Promise<string> {
    await writeFile(join(user.dir, "spec.yaml"), slowSpec(name, trials) + more);
    return "spec.yaml";
  }

  /** Starts a run and does not wait for it. */
  async function start(name: string, more?: string): Promise<string> {
    const { runId } = await runIn(user, "run", await specOf(name, more), "--detach");
    return runId;
  }

  async function rowsOf(runId: string): Promise<TrialRecord[]> {
    const rows = await Array.fromAsync(cloud.records.query(`run#${runId}`, { prefix: "trial#" }));
    return rows.map(({ data }) => TrialRecord.parse(data));
  }

  async function shardsOf(runId: string): Promise<ShardRecord[]> {
    const rows = await Array.fromAsync(cloud.records.query(`run#${runId}`, { prefix: "shard#" }));
    return rows.map(({ data }) => ShardRecord.parse(data));
  }

  async function runOf(runId: string): Promise<RunRecord> {
    return RunRecord.parse((await cloud.records.get(recordKeys.run(runId)))?.data);
  }

  async function ended(runId: string): Promise<RunRecord> {
    return until(async () => {
      const run = await runOf(runId);
      return run.status === "running" ? undefined : run;
    });
  }

  /** Waits until a job of the run is in the middle of its trials. */
  async function atWork(runId: string): Promise<void> {
    await until(async () => (await rowsOf(runId)).find(({ status }) => status === "tracing"));
  }

  async function jobsOf(runId: string, stage: string) {
    return (await cloud.control.jobs()).filter(
      ({ jobName }) => jobName.startsWith(`tm-${runId}`) && jobName.endsWith(`-${stage}`),
    );
  }

  /** Every trial scored once, whatever attempts it took. */
  async function expectWhole(runId: string): Promise<void> {
    expect(await runOf(runId)).toMatchObject({ status: "finished" });
    const rows = await rowsOf(runId);
    expect(rows.map(({ status }) => status)).toEqual(Array(trials).fill("ended"));
    for (const { attempts } of rows) {
      expect(attempts.at(-1)?.outcome).toMatchObject({ kind: "scored", rewards: { reward: 1 } });
      expect(attempts.filter(({ outcome }) => outcome.kind === "scored")).toHaveLength(1);
    }
  }

  test("a job whose Spot instance is taken is run again, and goes on where it was", async () => {
    const runId = await start("spot");
    await atWork(runId);
    const reason = "Host EC2 (instance i-0123456789abcdef0) terminated.";
    expect(await cloud.control.killJobs(`tm-${runId}-*-trace`, reason)).toHaveLength(1);
    expect(await ended(runId)).toMatchObject({ status: "finished" });
    await expectWhole(runId);
    const [job] = await jobsOf(runId, "trace");
    expect(job?.attempts.map(({ statusReason }) => statusReason)).toEqual([
      reason,
      "Essential container in task exited",
    ]);
    const interrupted = (await rowsOf(runId)).flatMap(({ attempts }) => attempts.slice(0, -1));
    expect(interrupted.length).toBeGreaterThan(0);
    for (const { outcome } of interrupted) expect(JSON.stringify(outcome)).toContain("interrupted");
  });

  test("a shard that fails for good stops the run with the reason; a resume finishes it", async () => {
    const oom = "OutOfMemoryError: Container killed due to memory usage";
    await cloud.control.jobFault({ name: "*-evaluate", exitCode: 137, reason: oom });
    const run = await runIn(user, "run", await specOf("fails"));
    expect(run).toMatchObject({ code: 1, stdout: expect.stringContaining("stopped: ") });
    expect(await runOf(run.runId)).toMatchObject({ status: "stopped" });
    const [shard] = await shardsOf(run.runId);
    expect(shard?.failures).toMatchObject([{ stage: "evaluate", execution: `${run.runId}-1` }]);
    expect(shard?.failures[0]?.reason).toContain("memory");
    const status = await tracemill(user, "status", run.runId, "--on", "aws");
    expect(status.stdout).toContain("memory");
    expect(await runIn(user, "resume", run.runId)).toMatchObject({ code: 0 });
    await expectWhole(run.runId);
    // What had been traced was not traced again.
    expect(await jobsOf(run.runId, "trace")).toHaveLength(1);
  });

  test("throttling and lost answers of the stores lose nothing and do nothing twice", async () => {
    const often = { calls: 40, every: 4 };
    await cloud.control.serviceFault({ service: "dynamodb", action: "*Item", answer: "throttled", ...often });
    await cloud.control.serviceFault({ service: "s3", action: "PUT *", answer: "slow-down", ...often });
    const lost = { answer: "internal", done: true, calls: 6, every: 7 } as const;
    await cloud.control.serviceFault({ service: "dynamodb", action: "PutItem", ...lost });
    const run = await runIn(user, "run", await specOf("throttled"));
    expect(run).toMatchObject({ code: 0, stdout: expect.stringContaining("outcomes: 4 scored") });
    expect(await cloud.control.faultHits()).toBeGreaterThan(20);
    await expectWhole(run.runId);
    expect((await rowsOf(run.runId)).map(({ attempts }) => attempts.length)).toEqual(Array(trials).fill(1));
  });

  test("cancelled in the middle, jobs are ended and rows released; a resume finishes the run", async () => {
    const runId = await start("cancelled");
    await atWork(runId);
    expect(await tracemill(user, "cancel", runId)).toMatchObject({ code: 0 });
    expect(await runOf(runId)).toMatchObject({ status: "stopped" });
    expect(await jobsOf(runId, "trace")).toMatchObject([{ status: "FAILED", container: { exitCode: 75 } }]);
    // What was in flight was given back; what had been traced waits for its verification.
    expect((await rowsOf(runId)).map(({ status }) => status)).not.toContain("tracing");
    expect(await runIn(user, "resume", runId)).toMatchObject({ code: 0 });
    await expectWhole(runId);
  });

  test("functions that are called again after they had succeeded do nothing twice", async () => {
    const kind = "lost-answer";
    for (const name of ["ingest", "prepare", "plan", "collect", "end-run"]) {
      await cloud.control.functionFault({ function: `tracemill-ci-${name}`, times: 1, kind });
    }
    const run = await runIn(user, "run", await specOf("again"));
    expect(run).toMatchObject({ code: 0 });
    await expectWhole(run.runId);
    const calls = (await cloud.control.invocations()).filter(
      ({ event }) => (event as { runId?: string }).runId === run.runId,
    );
    const collects = calls.filter((call) => call.function === "tracemill-ci-collect");
    expect(collects).toHaveLength(3);
    expect(collects[1]?.result).toEqual(collects[0]?.result);
  });

  test("a run that reaches its cap is stopped, and says which", async () => {
    const runId = await start("capped", "limits: { run: { time: 2s } }\n");
    expect(await ended(runId)).toMatchObject({ status: "stopped", reason: expect.stringContaining("time") });
  });
});
