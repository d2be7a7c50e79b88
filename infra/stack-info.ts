import type { StackInfo } from "@tracemill/aws/stack.ts";
import { stackParameter } from "@tracemill/aws/stack.ts";
import { CfnOutput, Stack } from "aws-cdk-lib";
import { CfnParameter } from "aws-cdk-lib/aws-ssm";
import type { Construct } from "constructs";
import type { Functions } from "./functions.ts";
import type { Images } from "./images.ts";
import type { JobQueues } from "./job-queues.ts";
import { jobTargets } from "./job-targets.ts";
import type { Logs } from "./logs.ts";
import { secretPrefix, stateMachineArn } from "./permissions.ts";
import type { Queues } from "./queues.ts";
import type { Stage } from "./stage-file.ts";
import type { Storage } from "./storage.ts";

interface Told {
  storage: Storage;
  queues: Queues;
  images: Images;
  logs: Logs;
  jobQueues: JobQueues;
  functions: Functions;
  apiUrl: string | undefined;
}

/** Tells the stack's users what they need to work with it, in one parameter. */
export function stackInfo(scope: Construct, stage: Stage, told: Told): void {
  const stack = Stack.of(scope);
  const info: StackInfo = {
    schemaVersion: 1,
    stage: stage.name,
    region: stack.region,
    bucket: told.storage.bucket.bucketName,
    table: told.storage.table.tableName,
    stateMachineArn: stateMachineArn(scope, stage),
    functions: Object.fromEntries(
      Object.entries(told.functions).map(([name, { functionArn }]) => [name, functionArn]),
    ),
    ...(told.apiUrl === undefined ? {} : { apiUrl: told.apiUrl }),
    ingestQueueUrl: told.queues.ingest.queueUrl,
    ingestDeadLettersUrl: told.queues.ingestDeadLetters.queueUrl,
    imageRepository: told.images.tasks.repositoryUri,
    secretPrefix: secretPrefix(stage),
    ...jobTargets(stage, told.jobQueues),
    logGroups: {
      jobs: told.logs.jobs.logGroupName,
      functions: told.logs.functions.logGroupName,
      stateMachine: told.logs.stateMachine.logGroupName,
    },
  };
  new CfnParameter(scope, "StackInfo", {
    name: stackParameter(stage.name),
    type: "String",
    // 4 KiB come free; a long name of a region or a stage may pass that, at 5 cents a month.
    tier: "Intelligent-Tiering",
    description: "What Tracemill's command line, functions and jobs need to know of this stage",
    value: stack.toJsonString(info),
  });
  new CfnOutput(scope, "BucketName", { value: info.bucket });
  new CfnOutput(scope, "StateMachineArn", { value: info.stateMachineArn });
  if (info.apiUrl !== undefined) new CfnOutput(scope, "ApiUrl", { value: info.apiUrl });
}
