import type { JobStatus, JobSummary } from "@tracemill/aws/control/jobs.ts";
import { jobNamePrefix } from "@tracemill/aws/pipeline/job-names.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import type { CloudHome } from "../context.ts";

/** Every queue of a stage, each once. */
export function queueNames({ jobs, onDemandQueues }: Pick<StackInfo, "jobs" | "onDemandQueues">): string[] {
  const queues = Object.values(jobs).flatMap((target) => (target === undefined ? [] : [target.queue]));
  return [...new Set([...queues, ...Object.values(onDemandQueues)])];
}

/** A run's jobs of the last week, of all queues, newest first within each. */
export async function* jobsOfRun(
  runId: string,
  { jobs, stack }: Pick<CloudHome, "jobs" | "stack">,
  which: "live" | "all",
): AsyncGenerator<JobSummary> {
  for (const queue of queueNames(stack)) yield* jobs.list({ queue, namePrefix: jobNamePrefix(runId), which });
}

/** How many of a run's jobs are in each status. */
export async function countJobs(
  runId: string,
  cloud: Pick<CloudHome, "jobs" | "stack">,
  which: "live" | "all",
): Promise<Partial<Record<JobStatus, number>>> {
  const counts: Partial<Record<JobStatus, number>> = {};
  for await (const { status } of jobsOfRun(runId, cloud, which)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
