import { RemovalPolicy } from "aws-cdk-lib";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { nameOf, type Stage } from "./stage-file.ts";

export interface Logs {
  jobs: LogGroup;
  functions: LogGroup;
  stateMachine: LogGroup;
}

/** One group for each kind of writer, all kept for the same time. Logs go with the stage: results are elsewhere. */
export function logs(scope: Construct, stage: Stage): Logs {
  const group = (id: string, logGroupName: string): LogGroup =>
    new LogGroup(scope, id, {
      logGroupName,
      retention: stage.settings.logs.days,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  return {
    jobs: group("JobLogs", `/tracemill/${stage.name}/jobs`),
    functions: group("FunctionLogs", `/tracemill/${stage.name}/functions`),
    // Groups below this path share one resource policy, whose size is limited.
    stateMachine: group("StateMachineLogs", `/aws/vendedlogs/states/${nameOf(stage)}`),
  };
}
