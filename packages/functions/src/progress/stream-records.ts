import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import type { PartialItemFailureResponse } from "@aws-lambda-powertools/batch/types";
import { isTracemillError, messageOf } from "@tracemill/core/errors.ts";
import type { DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import { type ProgressDeps, publishProgress } from "./publish.ts";

interface Change {
  runId: string;
  /** Milliseconds since the epoch. */
  changedAt: number;
}

/**
 * Publishes the progress of the runs whose shards changed, each run once a batch.
 * @returns the changes that failed for now: the stream hands them out again.
 */
export async function publishChanges(
  event: DynamoDBStreamEvent,
  deps: ProgressDeps,
): Promise<PartialItemFailureResponse> {
  const newest = new Map<string, number>();
  for (const record of event.Records) {
    const change = shardChange(record);
    if (change === undefined) continue;
    newest.set(change.runId, Math.max(change.changedAt, newest.get(change.runId) ?? 0));
  }
  const published = new Map<string, Promise<void>>();
  const publish = (record: DynamoDBRecord): Promise<void> => {
    const runId = shardChange(record)?.runId;
    if (runId === undefined) return Promise.resolve();
    const work = published.get(runId) ?? publishOrReport(runId, newest.get(runId) ?? 0, deps);
    published.set(runId, work);
    return work;
  };
  return processPartialResponse(event, publish, new BatchProcessor(EventType.DynamoDBStreams), {
    throwOnFullBatchFailure: false,
  });
}

/** What no retry mends must not hold up the changes of all other runs. */
async function publishOrReport(runId: string, changedAt: number, deps: ProgressDeps): Promise<void> {
  try {
    await publishProgress(runId, changedAt, deps);
  } catch (error) {
    deps.log.error("the progress of a run was not published", { runId, reason: messageOf(error) });
    if (isTracemillError(error) && !error.retryable) return;
    throw error;
  }
}

/** The run whose shard a record of the stream is about; `undefined` for other rows and for deletions. */
function shardChange({ dynamodb, eventName }: DynamoDBRecord): Change | undefined {
  const pk = dynamodb?.Keys?.pk?.S ?? "";
  const sk = dynamodb?.Keys?.sk?.S ?? "";
  if (eventName === "REMOVE" || !pk.startsWith("run#") || !sk.startsWith("shard#")) return undefined;
  return {
    runId: pk.slice("run#".length),
    changedAt: (dynamodb?.ApproximateCreationDateTime ?? 0) * 1_000,
  };
}
