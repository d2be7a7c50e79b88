import { Stack } from "aws-cdk-lib";
import { EventField, RuleTargetInput } from "aws-cdk-lib/aws-events";
import { PolicyDocument, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { CfnSchedule } from "aws-cdk-lib/aws-scheduler";
import type { Construct } from "constructs";
import { callOn } from "./events.ts";
import type { Functions } from "./functions.ts";
import { allow } from "./permissions.ts";
import type { Queues } from "./queues.ts";
import { nameOf, type Stage } from "./stage-file.ts";

export interface IngestParts {
  functions: Functions;
  queues: Queues;
}

/** Mirrors the stage's source on its schedule, and starts a run of each new snapshot. Each off until it is set. */
export function ingest(scope: Construct, stage: Stage, parts: IngestParts): void {
  schedule(scope, stage, parts);
  startRuns(scope, stage, parts);
}

function schedule(scope: Construct, stage: Stage, { functions, queues }: IngestParts): void {
  const { source, schedule: when } = stage.settings;
  if (source === undefined || when === undefined) return;
  const { jitterMinutes } = when;
  new CfnSchedule(scope, "IngestSchedule", {
    name: nameOf(stage, "ingest"),
    description: `Mirrors the source ${source.name}`,
    scheduleExpression: when.expression,
    scheduleExpressionTimezone: when.timezone,
    flexibleTimeWindow:
      jitterMinutes === 0 ? { mode: "OFF" } : { mode: "FLEXIBLE", maximumWindowInMinutes: jitterMinutes },
    state: when.enabled ? "ENABLED" : "DISABLED",
    target: {
      arn: functions.ingest.functionArn,
      roleArn: scheduleRole(scope, { functions, queues }).roleArn,
      // The time that it was due: the same for a call that is repeated.
      input: JSON.stringify({ source, firing: "<aws.scheduler.scheduled-time>" }),
      deadLetterConfig: { arn: queues.undelivered.queueArn },
      // The next firing does the same: an hour of trouble is waited for, not a day.
      retryPolicy: { maximumEventAgeInSeconds: 3_600, maximumRetryAttempts: 20 },
    },
  });
}

function scheduleRole(scope: Construct, { functions, queues }: IngestParts): Role {
  return new Role(scope, "ScheduleRole", {
    assumedBy: new ServicePrincipal("scheduler.amazonaws.com").withConditions({
      StringEquals: { "aws:SourceAccount": Stack.of(scope).account },
    }),
    inlinePolicies: {
      does: new PolicyDocument({
        statements: [
          allow(["lambda:InvokeFunction"], [functions.ingest.functionArn]),
          allow(["sqs:SendMessage"], [queues.undelivered.queueArn]),
        ],
      }),
    },
  });
}

function startRuns(scope: Construct, stage: Stage, { functions, queues }: IngestParts): void {
  const { source, startRun } = stage.settings;
  if (source === undefined || startRun === undefined) return;
  callOn(
    scope,
    "NewSnapshots",
    {
      description: `Starts a run of specs/${startRun.spec}.json for each snapshot of ${source.name}`,
      // The account's bus is everybody's: other stages publish there too.
      eventPattern: {
        source: ["tracemill"],
        detailType: ["SnapshotCompleted"],
        detail: { stage: [stage.name], source: [source.name] },
      },
    },
    {
      function: functions["start-run"],
      input: RuleTargetInput.fromObject({
        spec: startRun.spec,
        source: EventField.fromPath("$.detail.source"),
        snapshotId: EventField.fromPath("$.detail.snapshotId"),
      }),
      undelivered: queues.undelivered,
    },
  );
}
