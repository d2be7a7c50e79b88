import { Duration } from "aws-cdk-lib";
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  LogQueryWidget,
  SingleValueWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import type { Watched } from "./alarms.ts";
import type { Logs } from "./logs.ts";
import * as metrics from "./metrics.ts";
import { nameOf, type Stage } from "./stage-file.ts";

/** A stage at a glance: what was done, what it cost, what waits, what failed. */
export function dashboard(scope: Construct, stage: Stage, watched: Watched & { logs: Logs }): void {
  const board = new Dashboard(scope, "Dashboard", {
    dashboardName: nameOf(stage),
    defaultInterval: Duration.days(1),
  });
  // The library is not written for exact optional types.
  const add = (...row: unknown[]) => board.addWidgets(...(row as IWidget[]));
  const half = (title: string, left: IMetric[]) => new GraphWidget({ title, left, width: 12, height: 6 });
  const { queues, functions, logs } = watched;
  add(
    new SingleValueWidget({
      title: "In this time",
      width: 24,
      height: 4,
      setPeriodToTimeRange: true,
      metrics: ["TrialsEnded", "FailedShards", "CostUsd", "Tokens"].map((name) =>
        metrics.published(stage, name),
      ),
    }),
  );
  add(
    half("Attempts by outcome", [metrics.attemptsByOutcome(stage)]),
    half("Model cost, USD", [metrics.published(stage, "CostUsd")]),
  );
  const ends = ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsAborted"];
  add(
    half(
      "Runs",
      ends.map((name) => metrics.executions(scope, stage, name)),
    ),
    half("Ingest: seconds that a message waits, and dead letters", [
      queues.ingest.metricApproximateAgeOfOldestMessage(),
      queues.ingestDeadLetters.metricApproximateNumberOfMessagesVisible(),
      queues.undelivered.metricApproximateNumberOfMessagesVisible(),
    ]),
  );
  add(
    half(
      "Function errors",
      Object.values(functions).map((each) => each.metricErrors()),
    ),
    new LogQueryWidget({
      title: "Last words of jobs",
      width: 12,
      height: 6,
      logGroupNames: [logs.jobs.logGroupName],
      queryLines: [
        "fields @timestamp, @message",
        "filter level = 'error'",
        "sort @timestamp desc",
        "limit 20",
      ],
    }),
  );
}
