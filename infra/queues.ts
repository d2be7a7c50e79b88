import { Duration } from "aws-cdk-lib";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import { functionSeconds } from "./function-sizes.ts";
import { nameOf, type Stage } from "./stage-file.ts";

export interface Queues {
  /** Sources that another invocation is to go on with. */
  ingest: Queue;
  /** Messages that were given up after `receives` tries. */
  ingestDeadLetters: Queue;
  /** Events, schedules and stream records that their function could not take. */
  undelivered: Queue;
}

/** Tries of a message, each some 14 minutes of work at most: what fails five times is not mended by a sixth. */
const receives = 5;

export function queues(scope: Construct, stage: Stage): Queues {
  // 14 days is the longest that SQS has: time to come back from a holiday.
  const kept = {
    retentionPeriod: Duration.days(14),
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
  };
  const ingestDeadLetters = new Queue(scope, "IngestDeadLetters", {
    ...kept,
    queueName: nameOf(stage, "ingest-dead-letters"),
  });
  const undelivered = new Queue(scope, "Undelivered", { ...kept, queueName: nameOf(stage, "undelivered") });
  const ingest = new Queue(scope, "IngestQueue", {
    queueName: nameOf(stage, "ingest"),
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(4),
    // Lambda's rule: six times the function's own time, so that a throttled message is not handed out twice.
    visibilityTimeout: Duration.seconds(6 * functionSeconds.ingest),
    deadLetterQueue: { queue: ingestDeadLetters, maxReceiveCount: receives },
  });
  return { ingest, ingestDeadLetters, undelivered };
}
