import { describe, expect, test } from "vitest";
import { failedJobIn, messageIn } from "./cause.ts";
import { jobReason, otherReason } from "./reason.ts";

const failed = { runId: "run_1", stage: "trace", target: "shd_1" };

/** A job's description as Step Functions hands it on. */
function cause(parts: {
  statusReason?: string;
  exitCode?: number;
  reason?: string;
  attempts?: number;
  image?: string;
}): string {
  const { statusReason = "Essential container in task exited", exitCode, reason, attempts = 1 } = parts;
  const container = {
    ...(exitCode === undefined ? {} : { ExitCode: exitCode }),
    ...(reason === undefined ? {} : { Reason: reason }),
    LogStreamName: "trace/default/abc",
  };
  return JSON.stringify({
    JobId: "job-1",
    JobName: "tm-run_1-shd_1-trace",
    Status: "FAILED",
    StatusReason: statusReason,
    Attempts: Array.from({ length: attempts }, () => ({ Container: container, StatusReason: statusReason })),
    Container: { ...container, Image: parts.image ?? "registry/worker:1" },
  });
}

function reasonOf(parts: Parameters<typeof cause>[0], logLine?: string): string {
  const job = failedJobIn(cause(parts));
  if (job === undefined) throw new Error("no job");
  return jobReason(failed, job, logLine);
}

describe("why a job failed", () => {
  test.each([
    {
      what: "an image that is not there",
      job: { reason: "CannotPullContainerError: manifest unknown", image: "registry/env:env-1" },
      says: /^trace of shard shd_1: its image registry\/env:env-1 cannot be pulled; .*doctor --aws.*CannotPull/,
    },
    {
      what: "memory",
      job: { exitCode: 137, reason: "OutOfMemoryError: Container killed due to memory usage" },
      says: /ran out of memory; raise the memory .* or lower `concurrency`/,
    },
    {
      what: "a kill without a word",
      job: { exitCode: 137 },
      says: /was killed \(exit code 137\): it probably ran out of memory/,
    },
    {
      what: "Spot, again and again",
      job: { statusReason: "Host EC2 (instance i-0abc) terminated.", attempts: 5 },
      says: /machine was taken away 5 times; `tracemill resume run_1 --on aws`.*spot: false.*i-0abc/,
    },
    {
      what: "interruptions",
      job: { exitCode: 75, attempts: 2 },
      says: /was interrupted, .* twice; `tracemill resume run_1/,
    },
    {
      what: "a job that hung",
      job: { statusReason: "Job attempt duration exceeded timeout" },
      says: /took longer than its job may; `tracemill logs run_1 --shard shd_1 --on aws`/,
    },
    { what: "a wrong start", job: { exitCode: 2 }, says: /different versions; deploy again/ },
    {
      what: "no capacity",
      job: { statusReason: "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - no fit" },
      says: /no machine fits it.*quotas/,
    },
    {
      what: "somebody who ended it",
      job: { statusReason: "Terminated by the console", exitCode: 143 },
      says: /was stopped from outside/,
    },
    { what: "anything else", job: { exitCode: 1 }, says: /ended with exit code 1; `tracemill logs/ },
  ])("says so of $what, with the next step", ({ job, says }) => {
    expect(reasonOf(job)).toMatch(says);
  });

  test("has the job's own words beside the next step", () => {
    expect(reasonOf({ exitCode: 75, attempts: 3 }, "S3: SlowDown after 8 attempts")).toMatch(
      /3 times; `tracemill resume run_1.*S3: SlowDown after 8 attempts\)$/,
    );
  });

  test("is in the job's own words where it has some", () => {
    expect(reasonOf({ exitCode: 1 }, "tasks/abc.tar.zst: no such object")).toBe(
      "trace of shard shd_1: tasks/abc.tar.zst: no such object; `tracemill logs run_1 --shard shd_1 --on aws` shows its log",
    );
  });

  test("is read from a job of several containers, from the one that failed", () => {
    const containers = [
      { Name: "box-0", ExitCode: 0, Reason: null },
      { Name: "worker", ExitCode: 1, LogStreamName: "w/1", Reason: "CannotPullContainerError: no" },
    ];
    const images = [
      { Name: "box-0", Image: "env" },
      { Name: "worker", Image: "worker:2" },
    ];
    const job = failedJobIn(
      JSON.stringify({
        JobId: "job-2",
        StatusReason: "Task failed to start",
        Attempts: [{ TaskProperties: [{ Containers: containers }] }],
        EcsProperties: { TaskProperties: [{ Containers: images }] },
      }),
    );
    expect(job).toEqual({
      jobId: "job-2",
      attempts: 1,
      statusReason: "Task failed to start",
      containerReason: "CannotPullContainerError: no",
      exitCode: 1,
      image: "worker:2",
      logStream: "w/1",
    });
  });

  test.each([undefined, "", "Batch said no", "[]", '{"errorMessage":"x"}'])("is no job's for %j", (text) => {
    expect(failedJobIn(text)).toBeUndefined();
  });
});

describe("what failed without a job", () => {
  test("is named with the function's own message", () => {
    const text = messageIn(
      JSON.stringify({ errorType: "TracemillError", errorMessage: "spec.json: broken", trace: [] }),
    );
    const step = { ...failed, stage: "plan", target: "-" };
    expect(otherReason(step, "TracemillError", text)).toBe("stage plan: spec.json: broken");
  });

  test.each([
    [
      "Batch.ClientException",
      "JobDefinition def-x not found",
      /definition is missing; deploy the stage again/,
    ],
    ["States.Timeout", undefined, /took longer than the state machine allows/],
    ["Lambda.Unknown", "Runtime exited", /Lambda\.Unknown: Runtime exited/],
    [undefined, undefined, /failed without a reason/],
  ])("%s", (error, message, says) => {
    expect(otherReason(failed, error, message)).toMatch(says);
  });
});
