import { jobNamePrefix } from "@tracemill/aws/pipeline/job-names.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { readRun, setRunState } from "@tracemill/core/run/runs.ts";
import type { CliContext, CloudHome } from "../context.ts";
import { latestExecution } from "./run-executions.ts";
import { queueNames } from "./run-jobs.ts";

/** How often is looked whether the jobs are gone. */
const lookEveryMs = 3_000;

/**
 * What jobs have to end by themselves: Step Functions ends those that it waits for, a function the others, and a
 * worker gives its trials back within 30 s of its SIGTERM. Then they are ended from here.
 */
const graceMs = 45_000;

/** Batch takes a minute or two over a job that is just starting. */
const patienceMs = 5 * 60_000;

const reason = "cancelled by its user";

type Context = Pick<CliContext, "clock" | "out" | "draining">;

/**
 * Ends a run's execution and waits until its jobs are gone and its row says so. Ending what has ended changes nothing.
 * @returns the run's row.
 */
export async function cancelRun(run: RunRecord, cloud: CloudHome, context: Context): Promise<RunRecord> {
  const { runId } = run;
  const execution = await latestExecution(runId, cloud);
  if (execution?.status === "RUNNING") {
    context.out.note(`ending ${execution.name}`);
    await cloud.executions.stop(execution.arn, { cause: reason, error: "Tracemill.Cancelled" });
  }
  await untilJobsAreGone(runId, cloud, context);
  return stoppedRow(runId, cloud, context);
}

async function untilJobsAreGone(runId: string, cloud: CloudHome, context: Context): Promise<void> {
  const { clock, out, draining } = context;
  const startedAt = clock.now();
  const ended = new Set<string>();
  let said: number | undefined;
  for (;;) {
    const jobs = await liveJobs(runId, cloud);
    if (jobs.length === 0 || draining.aborted) return;
    if (jobs.length !== said)
      out.note(jobs.length === 1 ? "1 job is ending" : `${jobs.length} jobs are ending`);
    said = jobs.length;
    const waited = clock.now() - startedAt;
    if (waited > patienceMs) {
      out.note(
        `note: they take long; \`tracemill status ${runId}${cloud.flags}\` counts those that are left`,
      );
      return;
    }
    if (waited > graceMs) await endJobs(jobs, ended, cloud);
    await clock.sleep(lookEveryMs, draining).catch(() => undefined);
  }
}

/** @param ended jobs that were ended from here before; grows. */
async function endJobs(jobs: readonly string[], ended: Set<string>, cloud: CloudHome): Promise<void> {
  for (const job of jobs) {
    if (ended.has(job)) continue;
    ended.add(job);
    await cloud.jobs.terminate(job, reason);
  }
}

async function liveJobs(runId: string, { jobs, stack }: CloudHome): Promise<string[]> {
  const found: string[] = [];
  for (const queue of queueNames(stack)) {
    for await (const { jobId } of jobs.list({ queue, namePrefix: jobNamePrefix(runId) })) found.push(jobId);
  }
  return found;
}

/** The event of a stopped execution marks the run; one that never had an execution is marked from here. */
async function stoppedRow(runId: string, { records }: CloudHome, { clock }: Context): Promise<RunRecord> {
  const run = await readRun(runId, records);
  if (run.status !== "running") return run;
  const stoppedAt = new Date(clock.now()).toISOString();
  return setRunState(runId, { status: "stopped", stoppedAt, reason }, records);
}
