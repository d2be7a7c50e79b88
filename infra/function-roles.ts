import { ArnFormat, Stack } from "aws-cdk-lib";
import type { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import type { FunctionName } from "./function-sizes.ts";
import type { FunctionParts } from "./functions.ts";
import * as permissions from "./permissions.ts";
import { productionToken } from "./secrets.ts";
import type { Stage } from "./stage-file.ts";

type Statements = (scope: Construct, stage: Stage, parts: FunctionParts) => PolicyStatement[];

/** What each function does, and nothing else. */
const statements: Record<FunctionName, Statements> = {
  ingest: (scope, stage, { storage, queues }) => [
    ...permissions.readObjects(storage, ["raw", "artifacts", "spool", "runs"]),
    permissions.writeObjects(storage, ["raw", "artifacts", "spool"]),
    permissions.deleteObjects(storage, ["raw", "spool"]),
    permissions.writeRecords(storage),
    ...permissions.readSecrets(scope, stage, [productionToken]),
    permissions.allow(["sqs:SendMessage", ...takesMessages], [queues.ingest.queueArn]),
    permissions.allow(["sqs:SendMessage"], [queues.undelivered.queueArn]),
    permissions.allow(["events:PutEvents"], [defaultBus(scope)]),
  ],
  prepare: (_scope, _stage, { storage }) => [
    ...permissions.readObjects(storage, ["raw", "artifacts", "prepared", "runs", "tasks", "references"]),
    permissions.writeObjects(storage, ["prepared", "runs", "tasks", "references"]),
    permissions.writeRecords(storage),
  ],
  plan: (_scope, _stage, { storage }) => [
    ...permissions.readObjects(storage, ["runs"]),
    permissions.writeObjects(storage, ["runs"]),
    permissions.writeRecords(storage),
  ],
  "export-small": (_scope, _stage, { storage }) => [
    ...permissions.readObjects(storage, ["prepared", "runs", "tasks", "references", "datasets"]),
    permissions.writeObjects(storage, ["runs", "datasets"]),
    permissions.writeRecords(storage),
  ],
  collect: (_scope, _stage, { storage, images }) => [
    ...permissions.readObjects(storage, ["runs"]),
    permissions.writeObjects(storage, ["runs"]),
    permissions.readRecords(storage),
    permissions.allow(["ecr:BatchGetImage"], [images.tasks.repositoryArn]),
    permissions.withoutResource(["batch:DescribeJobDefinitions"]),
  ],
  "end-run": (_scope, _stage, { storage }) => [permissions.writeRecords(storage)],
  "record-failure": (scope, stage, { storage, queues, logs }) => [
    ...permissions.readObjects(storage, ["runs"]),
    permissions.writeRecords(storage),
    permissions.allow(["sqs:SendMessage"], [queues.undelivered.queueArn]),
    permissions.allow(["logs:GetLogEvents"], [logs.jobs.logGroupArn]),
    permissions.allow(["states:ListExecutions"], [permissions.stateMachineArn(scope, stage)]),
    permissions.allow(["states:DescribeExecution"], [permissions.executionArns(scope, stage, ":*")]),
    permissions.withoutResource(["batch:ListJobs", "batch:DescribeJobs"]),
    permissions.endJobs(scope),
  ],
  progress: (scope, stage, { storage, queues }) => [
    ...permissions.readObjects(storage, ["runs"]),
    permissions.writeRecords(storage),
    permissions.allow(["sqs:SendMessage"], [queues.undelivered.queueArn]),
    permissions.allow(readsStream, [storage.table.tableStreamArn ?? ""]),
    permissions.withoutResource(["dynamodb:ListStreams"]),
    permissions.allow(["states:ListExecutions"], [permissions.stateMachineArn(scope, stage)]),
    permissions.allow(["states:StopExecution"], [permissions.executionArns(scope, stage, ":*")]),
  ],
  "start-run": (scope, stage, { storage, queues }) => [
    ...permissions.readObjects(storage, ["specs", "runs"]),
    permissions.writeObjects(storage, ["runs"]),
    permissions.writeRecords(storage),
    permissions.allow(["sqs:SendMessage"], [queues.undelivered.queueArn]),
    permissions.allow(["states:StartExecution"], [permissions.stateMachineArn(scope, stage)]),
    // Whether an execution of the same name is the same start.
    permissions.allow(["states:DescribeExecution"], [permissions.executionArns(scope, stage, ":*")]),
  ],
  api: (_scope, _stage, { storage }) => [
    ...permissions.readObjects(storage, ["runs", "datasets"]),
    permissions.readRecords(storage),
  ],
};

const takesMessages = [
  "sqs:ReceiveMessage",
  "sqs:DeleteMessage",
  "sqs:ChangeMessageVisibility",
  "sqs:GetQueueAttributes",
];

const readsStream = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"];

/** @returns the statements of a function, without those that all functions have. */
export function functionStatements(
  scope: Construct,
  stage: Stage,
  name: FunctionName,
  parts: FunctionParts,
): PolicyStatement[] {
  return [permissions.readStackInfo(scope, stage), ...statements[name](scope, stage, parts)];
}

function defaultBus(scope: Construct): string {
  return Stack.of(scope).formatArn({
    service: "events",
    resource: "event-bus",
    resourceName: "default",
    arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
  });
}
