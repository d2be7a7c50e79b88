import { createRun, readRun, setRunState } from "@tracemill/core/run/runs.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { fullStack, keptExecutions, keptJobs, keptLog } from "../../test/fakes.ts";
import type { RunningExecution } from "../ports.ts";
import { type EndedDeps, type ExecutionEvent, executionEnded } from "./ended-execution.ts";

const spec = parseRunSpec({ name: "t", tasks: ["."], agents: [{ name: "oracle" }] }, "spec");

async function world(running: (runId: string) => RunningExecution[] = () => []) {
  const records = memoryRecordStore();
  const clock = fakeClock();
  const { runId } = await createRun(spec, { objects: memoryObjectStore(), records, clock });
  const job = (jobId: string, queue: string, execution: string, of = runId) => ({
    jobId,
    queue,
    execution,
    jobName: `tm-${of}-shd_1-trace`,
  });
  const jobs = keptJobs([
    job("j1", "queue-host", `${runId}-1`),
    job("j2", "steady-container", `${runId}-1`),
    job("j3", "queue-host", `${runId}-2`),
    job("j4", "queue-host", "run_other-1", "run_other"),
  ]);
  const executions = keptExecutions(running(runId));
  const deps: EndedDeps = { records, clock, executions, jobs, stack: fullStack, log: keptLog() };
  const event = (detail: Partial<ExecutionEvent["detail"]> = {}): ExecutionEvent => ({
    "detail-type": "Step Functions Execution Status Change",
    detail: {
      executionArn: "arn:execution",
      stateMachineArn: fullStack.stateMachineArn,
      name: `${runId}-1`,
      status: "ABORTED",
      ...detail,
    },
  });
  return { deps, runId, jobs, event, run: () => readRun(runId, records) };
}

describe("an execution that was stopped", () => {
  test("leaves a stopped run, with the cause that was given, and no jobs", async () => {
    const { deps, event, run, jobs } = await world();
    await executionEnded(event({ cause: "5.0 USD used, 5 allowed" }), deps);
    expect(await run()).toMatchObject({ status: "stopped", reason: "5.0 USD used, 5 allowed" });
    expect(jobs.terminated).toEqual(["j1", "j2"]);
  });

  test("is asked for its cause when the event names none", async () => {
    const { deps, event, run } = await world();
    const executions = { ...deps.executions, causeOf: async () => "cancelled by somebody" };
    await executionEnded(event({ cause: null }), { ...deps, executions });
    expect(await run()).toMatchObject({ reason: "cancelled by somebody" });
  });

  test.each([
    ["TIMED_OUT", "its execution took longer than it may"],
    ["FAILED", "its execution failed"],
  ])("is told of in words when it has no cause: %s", async (status, reason) => {
    const { deps, event, run } = await world();
    await executionEnded(event({ status }), deps);
    expect(await run()).toMatchObject({ status: "stopped", reason });
  });

  test("does not take away the reason that a state recorded before", async () => {
    const { deps, event, run, runId } = await world();
    const stoppedAt = "2026-01-01T00:00:00.000Z";
    await setRunState(runId, { status: "stopped", stoppedAt, reason: "stage plan: broken" }, deps.records);
    await executionEnded(event({ status: "FAILED", cause: "States.TaskFailed" }), deps);
    expect(await run()).toMatchObject({ reason: "stage plan: broken" });
  });

  test("does not stop a run that was resumed meanwhile, and ends the old execution's jobs only", async () => {
    const { deps, event, run, jobs } = await world((id) => [{ arn: "new", name: `${id}-2`, startedAt: 0 }]);
    await executionEnded(event(), deps);
    expect((await run()).status).toBe("running");
    expect(jobs.terminated).toEqual(["j1", "j2"]);
  });
});

test.each([
  ["another state machine's", { stateMachineArn: "arn:other" }],
  ["a map's own execution", { name: "5f1c3f5e-0000-4000-8000-000000000000" }],
  ["an execution that went well", { status: "SUCCEEDED" }],
])("%s end changes nothing", async (_, detail) => {
  const { deps, event, run, jobs } = await world();
  await executionEnded(event(detail), deps);
  expect((await run()).status).toBe("running");
  expect(jobs.terminated).toEqual([]);
});
