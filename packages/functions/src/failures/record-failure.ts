import type { FailureInput } from "@tracemill/aws/pipeline/messages.ts";
import { readPlan } from "@tracemill/core/pipeline/plan-run.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { setRunState } from "@tracemill/core/run/runs.ts";
import type { ShardFailure } from "@tracemill/core/run/shard-record.ts";
import pMap from "p-map";
import type { JobLogs, Log } from "../ports.ts";
import { type FailedJob, failedJobIn, messageIn } from "./cause.ts";
import { lastWords } from "./last-words.ts";
import { jobReason, otherReason } from "./reason.ts";
import { addShardFailure } from "./shard-failure.ts";

/** Rows written at once when an image's failure is that of many shards. */
const writesAtOnce = 16;

export interface FailureDeps {
  objects: ObjectStore;
  records: RecordStore;
  clock: Clock;
  jobLogs: JobLogs;
  log: Log;
}

/**
 * Records what a Catch of the state machine caught: a shard's failure in its row, an image's in the rows of all
 * shards that wait for it, and a step's as the reason why the run stopped.
 */
export async function recordFailure(input: FailureInput, deps: FailureDeps): Promise<{ reason: string }> {
  const { runId, execution, stage, target } = input;
  const job = failedJobIn(input.error.Cause);
  const reason = await reasonOf(input, job, deps);
  deps.log.error("a part of a run failed", { runId, execution, stage, target, reason, jobId: job?.jobId });
  const at = new Date(deps.clock.now()).toISOString();
  const failure: Omit<ShardFailure, "stage"> = {
    at,
    reason,
    execution,
    ...(job === undefined ? {} : { jobId: job.jobId }),
    ...(job?.logStream === undefined ? {} : { logStream: job.logStream }),
  };
  if (stage === "trace" || stage === "evaluate") {
    await addShardFailure(runId, target, { ...failure, stage }, deps.records);
  } else if (stage === "image") {
    await failShardsOf(runId, target, { ...failure, stage: "trace" }, deps);
  } else {
    await setRunState(runId, { status: "stopped", stoppedAt: at, reason }, deps.records);
  }
  return { reason };
}

async function reasonOf(input: FailureInput, job: FailedJob | undefined, deps: FailureDeps): Promise<string> {
  const { Error: error, Cause: cause } = input.error;
  if (job === undefined) return otherReason(input, error, messageIn(cause));
  return jobReason(input, job, await lastWords(job.logStream, deps));
}

/** No shard of an environment without an image can be worked on. */
async function failShardsOf(
  runId: string,
  environment: string,
  failure: ShardFailure,
  { objects, records }: FailureDeps,
): Promise<void> {
  const { shards } = await readPlan(runId, objects);
  const waiting = shards.filter(
    (shard) => shard.environment === environment && (shard.sandboxed.trace || shard.sandboxed.evaluate),
  );
  await pMap(waiting, ({ shardId }) => addShardFailure(runId, shardId, failure, records), {
    concurrency: writesAtOnce,
  });
}
