import { fileURLToPath } from "node:url";
import type { deployTemplate } from "./stack.ts";
import type { Program } from "./start.ts";

/** The image of the mini stack's jobs, and what it runs: a shell. */
export const miniProgram: Program = {
  image: "example/worker:*",
  command: ["/bin/sh", "-c", '. "$0" "$@"', fileURLToPath(new URL("mini-job.sh", import.meta.url))],
};

const role = { "Fn::GetAtt": ["Role", "Arn"] };

const trust = { Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" };

/** Every feature of the pipeline's machine in small: a loop by Choice over rounds, each a map of a job an item. */
export const miniMachine = {
  StartAt: "begin",
  States: {
    begin: { Type: "Pass", Result: { round: 0 }, ResultPath: "$.collected", Next: "collect" },
    collect: {
      Type: "Task",
      Resource: "arn:aws:states:::lambda:invoke",
      Parameters: { FunctionName: "mini-collect", "Payload.$": "$" },
      ResultSelector: { "result.$": "$.Payload" },
      ResultPath: "$.next",
      Retry: [
        {
          ErrorEquals: ["Lambda.ServiceException", "Lambda.TooManyRequestsException"],
          IntervalSeconds: 1,
          MaxAttempts: 3,
          BackoffRate: 2,
          MaxDelaySeconds: 5,
          JitterStrategy: "FULL",
        },
      ],
      Catch: [{ ErrorEquals: ["States.ALL"], ResultPath: "$.error", Next: "failed" }],
      Next: "what next?",
    },
    "what next?": {
      Type: "Choice",
      Choices: [{ Variable: "$.next.result.key", IsPresent: true, Next: "shards" }],
      Default: "done",
    },
    shards: {
      Type: "Map",
      ItemReader: {
        Resource: "arn:aws:states:::s3:getObject",
        ReaderConfig: { InputType: "JSON" },
        Parameters: { Bucket: "mini", "Key.$": "$.next.result.key" },
      },
      MaxConcurrency: 4,
      ToleratedFailureCount: 0,
      ItemProcessor: {
        ProcessorConfig: { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" },
        StartAt: "work",
        States: {
          work: {
            Type: "Task",
            Resource: "arn:aws:states:::batch:submitJob.sync",
            Parameters: {
              "JobName.$": "$.name",
              JobQueue: "mini",
              JobDefinition: "mini",
              Parameters: { "target.$": "$.name", "what.$": "$.what" },
              Timeout: { AttemptDurationSeconds: 60 },
            },
            Catch: [{ ErrorEquals: ["States.ALL"], ResultPath: "$.error", Next: "record" }],
            End: true,
          },
          record: {
            Type: "Task",
            Resource: "arn:aws:states:::lambda:invoke",
            Parameters: { FunctionName: "mini-record", "Payload.$": "$" },
            ResultPath: null,
            End: true,
          },
        },
      },
      ResultPath: null,
      Next: "collect",
    },
    done: { Type: "Succeed" },
    failed: { Type: "Fail", ErrorPath: "$.error.Error", CausePath: "$.error.Cause" },
  },
};

const record = `exports.handler = async (event) => {
  if (event.name === "unrecorded") throw new TypeError("the table is gone");
  console.log("recorded " + event.name + " " + event.error.Cause);
};`;

/** Gives the input's rounds, one after another. */
const collect = `const calls = {};
exports.handler = async ({ rounds }, context) => {
  const call = (calls[rounds[0]] ?? 0) + 1;
  calls[rounds[0]] = call;
  console.log("call " + call + " with " + context.getRemainingTimeInMillis() + " ms");
  const key = rounds[call - 1];
  return key === undefined ? {} : { key };
};`;

/** Keeps what came to it by queue, stream or rule in its log; fails what says so. */
const listener = `exports.handler = async (event) => {
  console.log(JSON.stringify(event));
  const failed = (event.Records ?? []).filter(({ body }) => body !== undefined && body.includes("poison"));
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
};`;

export function miniStack(): Parameters<typeof deployTemplate>[2] {
  const network = {
    Subnets: [{ Ref: "Subnet" }],
    SecurityGroupIds: [{ "Fn::GetAtt": ["Group", "GroupId"] }],
  };
  return {
    Role: {
      Type: "AWS::IAM::Role",
      Properties: { AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [trust] } },
    },
    Vpc: { Type: "AWS::EC2::VPC", Properties: { CidrBlock: "10.0.0.0/16" } },
    Subnet: {
      Type: "AWS::EC2::Subnet",
      Properties: { VpcId: { Ref: "Vpc" }, CidrBlock: "10.0.0.0/24" },
    },
    Group: {
      Type: "AWS::EC2::SecurityGroup",
      Properties: { VpcId: { Ref: "Vpc" }, GroupDescription: "jobs" },
    },
    Bucket: { Type: "AWS::S3::Bucket", Properties: { BucketName: "mini" } },
    Environment: {
      Type: "AWS::Batch::ComputeEnvironment",
      Properties: {
        ComputeEnvironmentName: "mini",
        Type: "managed",
        ComputeResources: { Type: "FARGATE_SPOT", MaxvCpus: 16, ...network },
      },
    },
    Queue: {
      Type: "AWS::Batch::JobQueue",
      Properties: {
        JobQueueName: "mini",
        Priority: 1,
        ComputeEnvironmentOrder: [
          { Order: 1, ComputeEnvironment: { "Fn::GetAtt": ["Environment", "ComputeEnvironmentArn"] } },
        ],
      },
    },
    Definition: { Type: "AWS::Batch::JobDefinition", Properties: miniDefinition("mini") },
    Collect: functionOf("mini-collect", collect),
    Record: functionOf("mini-record", record),
    Listener: functionOf("mini-listener", listener),
    Sleeper: functionOf("mini-sleeper", "exports.handler = () => new Promise(() => {});"),
    ...eventResources,
  };
}

/** A queue with dead letters, a table with a stream and a rule; all of them call the listener. */
const eventResources = {
  DeadLetters: { Type: "AWS::SQS::Queue", Properties: { QueueName: "mini-dead" } },
  Messages: {
    Type: "AWS::SQS::Queue",
    Properties: {
      QueueName: "mini-messages",
      VisibilityTimeout: 30,
      RedrivePolicy: {
        deadLetterTargetArn: { "Fn::GetAtt": ["DeadLetters", "Arn"] },
        maxReceiveCount: 2,
      },
    },
  },
  FromQueue: {
    Type: "AWS::Lambda::EventSourceMapping",
    Properties: {
      FunctionName: { Ref: "Listener" },
      EventSourceArn: { "Fn::GetAtt": ["Messages", "Arn"] },
      BatchSize: 5,
      FunctionResponseTypes: ["ReportBatchItemFailures"],
    },
  },
  Table: {
    Type: "AWS::DynamoDB::Table",
    Properties: {
      TableName: "mini",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [
        { AttributeName: "pk", AttributeType: "S" },
        { AttributeName: "sk", AttributeType: "S" },
      ],
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      StreamSpecification: { StreamViewType: "NEW_IMAGE" },
    },
  },
  FromStream: {
    Type: "AWS::Lambda::EventSourceMapping",
    Properties: {
      FunctionName: { Ref: "Listener" },
      EventSourceArn: { "Fn::GetAtt": ["Table", "StreamArn"] },
      StartingPosition: "TRIM_HORIZON",
      BatchSize: 100,
      FilterCriteria: {
        Filters: [{ Pattern: JSON.stringify({ dynamodb: { Keys: { sk: { S: [{ prefix: "shard#" }] } } } }) }],
      },
    },
  },
  Ended: {
    Type: "AWS::Events::Rule",
    Properties: {
      EventPattern: {
        source: ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        detail: { status: ["ABORTED"] },
      },
      Targets: [{ Id: "listener", Arn: { "Fn::GetAtt": ["Listener", "Arn"] } }],
    },
  },
};

export function container(Image: string) {
  return {
    Image,
    Command: ["Ref::what", "Ref::target", "Ref::absent"],
    Environment: [{ Name: "STAGE", Value: "mini" }],
    ResourceRequirements: [
      { Type: "VCPU", Value: "1" },
      { Type: "MEMORY", Value: "2048" },
    ],
  };
}

export function miniDefinition(JobDefinitionName: string) {
  return {
    JobDefinitionName,
    Type: "container",
    PlatformCapabilities: ["FARGATE"],
    ContainerProperties: container("example/worker:1"),
    RetryStrategy: {
      Attempts: 3,
      EvaluateOnExit: [
        { OnStatusReason: "Your Spot Task was interrupted*", Action: "RETRY" },
        { OnExitCode: "75", Action: "retry" },
        { OnExitCode: "*", Action: "EXIT" },
        { OnReason: "CannotPull*", Action: "EXIT" },
      ],
    },
  };
}

function functionOf(name: string, code: string) {
  const Code = { ZipFile: code };
  return {
    Type: "AWS::Lambda::Function",
    Properties: { FunctionName: name, Runtime: "nodejs24.x", Handler: "index.handler", Role: role, Code },
  };
}
