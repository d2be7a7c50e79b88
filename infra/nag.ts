import { Aspects, type Stack } from "aws-cdk-lib";
import { AwsSolutionsChecks, type NagPackSuppression, NagSuppressions } from "cdk-nag";

/** Below a folder of the stage's own bucket: keys hold ids that are not known before. */
const objectKeys = {
  regex:
    "/^Resource::<Bucket[0-9A-F]{8}\\.Arn>/(raw|artifacts|spool|prepared|tasks|references|runs|datasets|models|specs)/.*$/",
};
const batchArn = "^Resource::arn:<AWS::Partition>:batch:<AWS::Region>:<AWS::AccountId>:";

/** Every rule that is not kept, with what is done instead. */
const suppressions: NagPackSuppression[] = [
  {
    id: "AwsSolutions-IAM5",
    reason: "Object keys hold ids of runs, trials and tasks; each role names the folders that it works in.",
    appliesTo: [objectKeys],
  },
  {
    id: "AwsSolutions-IAM5",
    reason:
      "Only actions for which AWS has no resource to name (`actionsWithoutResource` in infra/permissions.ts); infra/policies.test.ts holds every statement to that list.",
    appliesTo: ["Resource::*"],
  },
  {
    id: "AwsSolutions-IAM5",
    reason:
      "Revisions of this stage's own job definitions, and those that it registers for task images, by the stage's prefix.",
    appliesTo: [{ regex: `/${batchArn}job-definition/tracemill-[a-z0-9-]+\\*?(:\\*)?$/` }],
  },
  {
    id: "AwsSolutions-IAM5",
    reason: "Batch makes the ids of jobs when they are submitted; jobs have no other name in ARNs.",
    appliesTo: [{ regex: `/${batchArn}job/\\*$/` }],
  },
  {
    id: "AwsSolutions-IAM5",
    reason: "Executions of this stage's own state machine, which are named after runs.",
    appliesTo: [
      {
        regex:
          "/^Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:tracemill-[a-z0-9-]+(:|/)\\*$/",
      },
    ],
  },
  {
    id: "AwsSolutions-IAM5",
    reason:
      "The models that the stage's settings name (`bedrockModels`), in any region: an inference profile of Bedrock calls them in several.",
    appliesTo: [
      {
        regex:
          "/^Resource::arn:<AWS::Partition>:bedrock:\\*:(<AWS::AccountId>)?:(foundation-model|inference-profile)\\/.+$/",
      },
    ],
  },
  {
    id: "AwsSolutions-IAM4",
    reason:
      "The ECS agent's policy is AWS's own: it names the clusters that Batch makes, and AWS keeps it up to date with the agent.",
    appliesTo: [
      "Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
    ],
  },
  {
    id: "AwsSolutions-S1",
    reason:
      "Access logs would be a second bucket, with an object for every few requests of a million trials. CloudTrail's data events say the same where an account wants them.",
  },
  {
    id: "AwsSolutions-SMG4",
    reason:
      "Tokens of other companies' APIs: only they can rotate them. A new value is put in by hand and used within five minutes.",
  },
  {
    id: "AwsSolutions-SQS3",
    reason:
      "`undelivered` is itself where EventBridge, Scheduler and Lambda put what they could not deliver.",
  },
  {
    id: "AwsSolutions-VPC7",
    reason:
      "Off by default (`network.flowLogs`): nothing is let in, and image pulls of thousands of tasks would make the logs the largest line of the bill.",
  },
  {
    id: "AwsSolutions-SF1",
    reason:
      "Errors only: what a run did is in its records and in the execution's history, and a full log of 10,000 shards costs more than their transitions.",
  },
  {
    id: "AwsSolutions-SF2",
    reason:
      "Tracing is a setting (`tracing`), off by default: the history of an execution shows the same times.",
  },
];

/** Checks a stack against the AwsSolutions rules when it is synthesized; a finding fails the synthesis. */
export function nagged(stack: Stack): void {
  Aspects.of(stack).add(new AwsSolutionsChecks());
  NagSuppressions.addStackSuppressions(stack, suppressions);
}
