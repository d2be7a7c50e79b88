import { Duration } from "aws-cdk-lib";
import {
  CfnEventInvokeConfig,
  EventSourceMapping,
  FilterCriteria,
  FilterRule,
  StartingPosition,
} from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";
import type { Functions } from "./functions.ts";
import type { Queues } from "./queues.ts";
import type { Storage } from "./storage.ts";

/** What comes to functions by itself: messages of the ingest queue, and changes of shards' rows. */
export function triggers(
  scope: Construct,
  { functions, queues, storage }: { functions: Functions; queues: Queues; storage: Storage },
): void {
  new EventSourceMapping(scope, "IngestMessages", {
    target: functions.ingest,
    eventSourceArn: queues.ingest.queueArn,
    // A message is a quarter of an hour's work.
    batchSize: 1,
    // Two sources at once; SQS allows no fewer.
    maxConcurrency: 2,
    reportBatchItemFailures: true,
  });
  new EventSourceMapping(scope, "ShardChanges", {
    target: functions.progress,
    eventSourceArn: storage.table.tableStreamArn ?? "",
    startingPosition: StartingPosition.LATEST,
    // A run's shards are summed once a batch, whatever their number: a minute's changes in one.
    batchSize: 1_000,
    maxBatchingWindow: Duration.seconds(60),
    filters: [FilterCriteria.filter({ dynamodb: { Keys: { sk: { S: FilterRule.beginsWith("shard#") } } } })],
    reportBatchItemFailures: true,
    bisectBatchOnError: true,
    retryAttempts: 10,
    // The next change of a shard says the same again: an old one is not worth holding up others.
    maxRecordAge: Duration.hours(1),
    onFailure: { bind: () => ({ destination: queues.undelivered.queueArn }) },
  });
  for (const name of ["ingest", "record-failure", "start-run"] as const) {
    new CfnEventInvokeConfig(scope, `Undelivered-${name}`, {
      functionName: functions[name].functionName,
      qualifier: "$LATEST",
      // Called by events, which wait for no answer: Lambda tries again, and keeps what failed.
      maximumRetryAttempts: 2,
      destinationConfig: { onFailure: { destination: queues.undelivered.queueArn } },
    });
  }
}
