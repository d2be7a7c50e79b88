import type { StackInfo } from "@tracemill/aws/stack.ts";
import type { deployTemplate } from "../emulators/peer/stack.ts";
import type { Program } from "../emulators/peer/start.ts";

/** Jobs of the small stage: they say who they are, and work until they are told to stop. */
export const waitingJob: Program = {
  image: "example/worker:*",
  command: [
    "/bin/sh",
    "-c",
    'trap "echo told to stop; exit 143" TERM; echo "{\\"message\\":\\"at work\\",\\"runId\\":\\"$0\\"}"; while :; do sleep 0.1; done',
  ],
};

/** A state machine that works on one shard, by a job that does not end by itself. */
const machine = {
  StartAt: "trace",
  States: {
    trace: {
      Type: "Task",
      Resource: "arn:aws:states:::batch:submitJob.sync",
      Parameters: {
        "JobName.$": "States.Format('tm-{}-shd_1-trace', $.runId)",
        JobQueue: "cli-host",
        JobDefinition: "cli-host",
        Parameters: { "runId.$": "$.runId" },
      },
      End: true,
    },
  },
};

const trust = { Effect: "Allow", Principal: { Service: "states.amazonaws.com" }, Action: "sts:AssumeRole" };

/** A stage in small: the resources that the command line looks at, without functions. */
export function cliStage(info: StackInfo): Parameters<typeof deployTemplate>[2] {
  const Subnets = [{ Ref: "Subnet" }];
  const SecurityGroupIds = [{ "Fn::GetAtt": ["Group", "GroupId"] }];
  const keys = ["pk", "sk"];
  return {
    Role: {
      Type: "AWS::IAM::Role",
      Properties: { AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [trust] } },
    },
    Vpc: { Type: "AWS::EC2::VPC", Properties: { CidrBlock: "10.0.0.0/16" } },
    Subnet: { Type: "AWS::EC2::Subnet", Properties: { VpcId: { Ref: "Vpc" }, CidrBlock: "10.0.0.0/24" } },
    Group: {
      Type: "AWS::EC2::SecurityGroup",
      Properties: { VpcId: { Ref: "Vpc" }, GroupDescription: "jobs" },
    },
    Bucket: { Type: "AWS::S3::Bucket", Properties: { BucketName: info.bucket } },
    Table: {
      Type: "AWS::DynamoDB::Table",
      Properties: {
        TableName: info.table,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
        KeySchema: keys.map((AttributeName, index) => ({
          AttributeName,
          KeyType: index === 0 ? "HASH" : "RANGE",
        })),
      },
    },
    Secret: {
      Type: "AWS::SecretsManager::Secret",
      Properties: { Name: `${info.secretPrefix}PROD_API_TOKEN`, SecretString: "unset" },
    },
    DeadLetters: { Type: "AWS::SQS::Queue", Properties: { QueueName: "cli-dead" } },
    JobLogs: { Type: "AWS::Logs::LogGroup", Properties: { LogGroupName: info.logGroups.jobs } },
    FunctionLogs: { Type: "AWS::Logs::LogGroup", Properties: { LogGroupName: info.logGroups.functions } },
    Environment: {
      Type: "AWS::Batch::ComputeEnvironment",
      Properties: {
        ComputeEnvironmentName: "cli",
        Type: "managed",
        ComputeResources: { Type: "FARGATE", MaxvCpus: 16, Subnets, SecurityGroupIds },
      },
    },
    Queue: {
      Type: "AWS::Batch::JobQueue",
      Properties: {
        JobQueueName: "cli-host",
        Priority: 1,
        ComputeEnvironmentOrder: [
          { Order: 1, ComputeEnvironment: { "Fn::GetAtt": ["Environment", "ComputeEnvironmentArn"] } },
        ],
      },
    },
    Definition: {
      Type: "AWS::Batch::JobDefinition",
      Properties: {
        JobDefinitionName: "cli-host",
        Type: "container",
        PlatformCapabilities: ["FARGATE"],
        ContainerProperties: {
          Image: "example/worker:1",
          Command: ["Ref::runId"],
          LogConfiguration: { LogDriver: "awslogs", Options: { "awslogs-group": info.logGroups.jobs } },
          ResourceRequirements: [
            { Type: "VCPU", Value: "1" },
            { Type: "MEMORY", Value: "2048" },
          ],
        },
      },
    },
    Machine: {
      Type: "AWS::StepFunctions::StateMachine",
      Properties: {
        StateMachineName: "cli",
        RoleArn: { "Fn::GetAtt": ["Role", "Arn"] },
        DefinitionString: JSON.stringify(machine),
      },
    },
    Parameter: {
      Type: "AWS::SSM::Parameter",
      Properties: { Name: `/tracemill/${info.stage}/stack`, Type: "String", Value: JSON.stringify(info) },
    },
  };
}
