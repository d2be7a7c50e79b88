import { Duration, Stack } from "aws-cdk-lib";
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Rule } from "aws-cdk-lib/aws-events";
import { SnsTopic } from "aws-cdk-lib/aws-events-targets";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { Construct } from "constructs";
import type { Functions } from "./functions.ts";
import * as metrics from "./metrics.ts";
import type { Queues } from "./queues.ts";
import { nameOf, type Stage } from "./stage-file.ts";

export interface Watched {
  queues: Queues;
  functions: Functions;
}

interface Watch {
  name: string;
  /** What happened, and where to look. */
  words: string;
  metric: IMetric;
  /** Alarms above it. */
  above: number;
}

/** Tells by mail what does not mend itself. A stage with nothing to do is silent. */
export function alarms(scope: Construct, stage: Stage, watched: Watched): void {
  const topic = new Topic(scope, "Alarms", { topicName: nameOf(stage, "alarms"), enforceSSL: true });
  // A topic with a policy of its own has lost the default one, by which the account's alarms may publish.
  topic.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
      actions: ["sns:Publish"],
      resources: [topic.topicArn],
      conditions: { StringEquals: { "aws:SourceAccount": Stack.of(scope).account } },
    }),
  );
  const { email } = stage.settings.alarms;
  if (email !== undefined) topic.addSubscription(new EmailSubscription(email));
  for (const { name, words, metric, above } of watches(scope, stage, watched)) {
    const alarm = new Alarm(scope, `Alarm-${name}`, {
      alarmName: nameOf(stage, name),
      alarmDescription: words,
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(topic));
  }
  blockedQueues(scope, topic);
}

function watches(scope: Construct, stage: Stage, { queues, functions }: Watched): Watch[] {
  const { ingestAgeHours } = stage.settings.alarms;
  return [
    {
      name: "ingest-age",
      words: "A source waits for its next part for hours: look at the log of the function ingest",
      metric: queues.ingest.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(5) }),
      above: ingestAgeHours * 3_600,
    },
    {
      name: "ingest-dead-letters",
      words: "A source failed five times in a row; mend it, then redrive the queue of dead letters",
      metric: queues.ingestDeadLetters.metricApproximateNumberOfMessagesVisible(),
      above: 0,
    },
    {
      name: "undelivered",
      words: "An event reached no function for a day: a schedule, a new snapshot, or an ended execution",
      metric: queues.undelivered.metricApproximateNumberOfMessagesVisible(),
      above: 0,
    },
    {
      name: "failed-runs",
      words: "A run failed or stopped with shards left: `tracemill status --on aws` says which and why",
      metric: metrics.executions(scope, stage, "ExecutionsFailed"),
      above: 0,
    },
    {
      name: "failed-shards",
      words: "Jobs of shards failed for good: `tracemill status --on aws` says why",
      metric: metrics.published(stage, "FailedShards"),
      above: 0,
    },
    {
      name: "function-errors",
      words: "A function failed: look at the functions' log",
      metric: errorsOf(functions),
      above: 0,
    },
    {
      name: "progress-age",
      words: "Sums of runs are late, and with them the stop at a run's cap",
      metric: functions.progress.metric("IteratorAge", { statistic: "Maximum", period: Duration.minutes(5) }),
      above: 15 * 60 * 1_000,
    },
  ];
}

/** One alarm over all of them, for a tenth of the price; CloudWatch takes ten metrics in one, and there are ten. */
function errorsOf(functions: Functions): MathExpression {
  const made = Object.values(functions).map((each, index) => [
    `e${index}`,
    each.metricErrors({ period: Duration.minutes(5) }),
  ]);
  return new MathExpression({
    expression: "SUM(METRICS())",
    usingMetrics: Object.fromEntries(made),
    label: "errors",
    period: Duration.minutes(5),
  });
}

/** Batch has no metric of waiting jobs; it says when the first job of a queue cannot run, and why. */
function blockedQueues(scope: Construct, topic: Topic): void {
  const rule = new Rule(scope, "BlockedQueues", {
    description: "The first job of a Batch queue cannot be started",
    eventPattern: { source: ["aws.batch"], detailType: ["Batch Job Queue Blocked"] },
  });
  rule.addTarget(new SnsTopic(topic));
}
