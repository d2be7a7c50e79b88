import { Duration } from "aws-cdk-lib";
import { MathExpression, Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import { stateMachineArn } from "./permissions.ts";
import type { Stage } from "./stage-file.ts";

/** What the functions publish (`packages/functions/src/progress/metric-points.ts`): growth, to be added up. */
export function published(stage: Stage, metricName: string): Metric {
  return new Metric({
    namespace: "Tracemill",
    metricName,
    dimensionsMap: { Stage: stage.name },
    statistic: Stats.SUM,
    period: Duration.minutes(5),
  });
}

/** Ended attempts, a line for each outcome there is. */
export function attemptsByOutcome(stage: Stage): MathExpression {
  const search = `{Tracemill,Outcome,Stage} MetricName="Attempts" Stage="${stage.name}"`;
  return new MathExpression({
    expression: `SEARCH('${search}', 'Sum', 300)`,
    usingMetrics: {},
    label: "",
    period: Duration.minutes(5),
  });
}

export function executions(scope: Construct, stage: Stage, metricName: string): Metric {
  return new Metric({
    namespace: "AWS/States",
    metricName,
    dimensionsMap: { StateMachineArn: stateMachineArn(scope, stage) },
    statistic: Stats.SUM,
    period: Duration.minutes(5),
  });
}
