import type { Jobs as BatchJobs } from "@tracemill/aws/control/jobs.ts";
import type { Jobs } from "../ports.ts";

/** Jobs that are described together: Batch's limit for one call. */
const chunk = 100;

/** Jobs that have not ended, with the execution that each one's parameters name. */
export function batchLiveJobs(jobs: Pick<BatchJobs, "list" | "describe" | "terminate">): Jobs {
  const described = async function* (jobIds: readonly string[]) {
    for await (const { jobId, parameters } of jobs.describe(jobIds))
      yield { jobId, execution: parameters.execution };
  };
  return {
    async *live(search) {
      let waiting: string[] = [];
      for await (const { jobId } of jobs.list(search)) {
        waiting.push(jobId);
        if (waiting.length < chunk) continue;
        yield* described(waiting);
        waiting = [];
      }
      if (waiting.length > 0) yield* described(waiting);
    },
    terminate: (jobId, reason) => jobs.terminate(jobId, reason),
  };
}
