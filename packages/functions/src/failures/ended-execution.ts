import { jobNamePrefix } from "@tracemill/aws/pipeline/job-names.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { readRun, setRunState } from "@tracemill/core/run/runs.ts";
import * as z from "zod";
import { executionOf, isNewer, type RunExecution } from "../execution-name.ts";
import type { Executions, Jobs, Log } from "../ports.ts";

/** What EventBridge says when an execution changes its status. */
export const ExecutionEvent = z.looseObject({
  "detail-type": z.literal("Step Functions Execution Status Change"),
  detail: z.looseObject({
    executionArn: z.string(),
    stateMachineArn: z.string(),
    name: z.string(),
    status: z.string(),
    cause: z.string().nullish(),
  }),
});
export type ExecutionEvent = z.infer<typeof ExecutionEvent>;

export interface EndedDeps {
  records: RecordStore;
  clock: Clock;
  executions: Pick<Executions, "running" | "causeOf">;
  jobs: Jobs;
  stack: Pick<StackInfo, "stateMachineArn" | "jobs" | "onDemandQueues">;
  log: Log;
}

/** How an execution may end that its own states do not see. */
const words: Record<string, string> = {
  ABORTED: "its execution was stopped",
  TIMED_OUT: "its execution took longer than it may",
  FAILED: "its execution failed",
};

/**
 * Marks the run of an execution that was aborted, timed out or failed as stopped, and ends the jobs that it left in
 * the queues. A reason that is recorded already stands. When a newer execution of the run is at work, the run is
 * its own, and only the old one's jobs are ended.
 */
export async function executionEnded({ detail }: ExecutionEvent, deps: EndedDeps): Promise<void> {
  const ended = executionOf(detail.name);
  const what = words[detail.status];
  // Executions that go over a map's items are no runs of their own.
  if (ended === undefined || what === undefined || detail.stateMachineArn !== deps.stack.stateMachineArn)
    return;
  if (await hasSuccessor(ended, deps)) {
    deps.log.info("a newer execution has the run", { ...ended });
  } else {
    const cause = detail.cause ?? (await deps.executions.causeOf(detail.executionArn));
    await markStopped(ended.runId, cause ?? what, deps);
  }
  await endJobs(detail.name, ended.runId, what, deps);
}

async function hasSuccessor(ended: RunExecution, { executions }: EndedDeps): Promise<boolean> {
  for await (const { name } of executions.running()) if (isNewer(name, ended)) return true;
  return false;
}

async function markStopped(runId: string, reason: string, { records, clock }: EndedDeps): Promise<void> {
  const run = await readRun(runId, records);
  if (run.status !== "running") return;
  await setRunState(
    runId,
    { status: "stopped", stoppedAt: new Date(clock.now()).toISOString(), reason },
    records,
  );
}

async function endJobs(execution: string, runId: string, what: string, deps: EndedDeps): Promise<void> {
  const { jobs, stack, log } = deps;
  const targets = Object.values(stack.jobs).flatMap((target) => (target === undefined ? [] : [target.queue]));
  const queues = new Set([...targets, ...Object.values(stack.onDemandQueues)]);
  let ended = 0;
  for (const queue of queues) {
    for await (const job of jobs.live({ queue, namePrefix: jobNamePrefix(runId) })) {
      if (job.execution !== execution) continue;
      await jobs.terminate(job.jobId, `${what} (${execution})`);
      ended += 1;
    }
  }
  if (ended > 0) log.info("ended what an execution left in the queues", { execution, jobs: ended });
}
