import { Stack } from "aws-cdk-lib";
import { PolicyDocument, type PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { CfnStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";
import { pipelineDefinition } from "./asl/definition.ts";
import type { Functions } from "./functions.ts";
import type { JobQueues } from "./job-queues.ts";
import type { Logs } from "./logs.ts";
import * as permissions from "./permissions.ts";
import { nameOf, type Stage } from "./stage-file.ts";
import type { Storage } from "./storage.ts";

export interface PipelineParts {
  functions: Functions;
  queues: JobQueues;
  storage: Storage;
  logs: Logs;
}

/** The state machine: `infra/asl`, with this stage's functions and queues in it. */
export function pipeline(scope: Construct, stage: Stage, parts: PipelineParts): CfnStateMachine {
  const stack = Stack.of(scope);
  const called = calledFunctions(parts.functions);
  const arns = Object.fromEntries(
    Object.entries(called).map(([name, { functionArn }]) => [name, functionArn]),
  );
  const definition = pipelineDefinition({
    partition: stack.partition,
    functions: arns as Parameters<typeof pipelineDefinition>[0]["functions"],
    step: { queue: parts.queues.steps.attrJobQueueArn, definition: nameOf(stage, "step") },
  });
  const role = new Role(scope, "StateMachineRole", {
    assumedBy: new ServicePrincipal("states.amazonaws.com").withConditions({
      StringEquals: { "aws:SourceAccount": stack.account },
    }),
    inlinePolicies: {
      does: new PolicyDocument({ statements: statementsOf(scope, stage, parts, Object.values(arns)) }),
    },
  });
  return new CfnStateMachine(scope, "StateMachine", {
    stateMachineName: nameOf(stage),
    stateMachineType: "STANDARD",
    definitionString: stack.toJsonString(definition),
    roleArn: role.roleArn,
    loggingConfiguration: {
      level: "ERROR",
      // Inputs are ids and keys; outputs of jobs are not kept.
      includeExecutionData: true,
      destinations: [{ cloudWatchLogsLogGroup: { logGroupArn: parts.logs.stateMachine.logGroupArn } }],
    },
    tracingConfiguration: { enabled: stage.settings.tracing },
  });
}

function calledFunctions(functions: Functions) {
  const { ingest, prepare, plan, collect } = functions;
  const small = functions["export-small"];
  return {
    ingest,
    prepare,
    plan,
    collect,
    "record-failure": functions["record-failure"],
    "end-run": functions["end-run"],
    ...(small === undefined ? {} : { "export-small": small }),
  };
}

function statementsOf(
  scope: Construct,
  stage: Stage,
  { queues, storage }: PipelineParts,
  functionArns: readonly string[],
): PolicyStatement[] {
  return [
    permissions.allow(["lambda:InvokeFunction"], functionArns),
    ...runsJobs(scope, stage, queues),
    // Lists of rounds, and what maps report about them (`objectKeys.runRound`).
    permissions.allow(
      ["s3:GetObject", "s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
      [storage.bucket.arnForObjects("runs/*/rounds/*")],
    ),
    // A distributed map starts, watches and stops an execution for each item.
    permissions.allow(["states:StartExecution"], [permissions.stateMachineArn(scope, stage)]),
    permissions.allow(
      ["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"],
      [permissions.executionArns(scope, stage, "/*")],
    ),
    permissions.withoutResource(permissions.logDeliveryActions),
    ...(stage.settings.tracing ? [permissions.withoutResource(permissions.tracingActions)] : []),
  ];
}

/** `submitJob.sync`: submits, is told of the end by a rule that Step Functions keeps in the account, or ends it. */
function runsJobs(scope: Construct, stage: Stage, queues: JobQueues): PolicyStatement[] {
  const { onDemand, ...rest } = queues;
  const arns = [...Object.values(rest), ...Object.values(onDemand)].flatMap((queue) =>
    queue === undefined ? [] : [queue.attrJobQueueArn],
  );
  const definitions = permissions.jobDefinitionArns(scope, stage, "*");
  const rule = Stack.of(scope).formatArn({
    service: "events",
    resource: "rule",
    resourceName: "StepFunctionsGetEventsForBatchJobsRule",
  });
  return [
    permissions.allow(["batch:SubmitJob"], [...definitions, ...arns]),
    // Batch wants it of who submits a job with tags.
    permissions.allow(["batch:TagResource"], [permissions.jobArns(scope)]),
    permissions.endJobs(scope),
    permissions.withoutResource(["batch:DescribeJobs"]),
    permissions.allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], [rule]),
  ];
}
