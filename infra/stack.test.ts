import { StackInfo, stackParameter } from "@tracemill/aws/stack.ts";
import type { Stack } from "aws-cdk-lib";
import { Annotations, Match, Template } from "aws-cdk-lib/assertions";
import { describe, expect, test } from "vitest";
import { nagged } from "./nag.ts";
import { Settings } from "./settings.ts";
import { everything, propertiesOf, stackOf, stageOf, synthesized } from "./synthesized.ts";

const dev = synthesized(stageOf("dev"));
const prod = synthesized(stageOf("prod", everything));
const both = [dev, prod];

describe("data", () => {
  test("the bucket is encrypted, versioned, closed, and takes TLS only", () => {
    for (const template of both) {
      template.hasResourceProperties("AWS::S3::Bucket", {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }],
        },
        VersioningConfiguration: { Status: "Enabled" },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      });
      template.hasResourceProperties("AWS::S3::BucketPolicy", {
        PolicyDocument: {
          Statement: Match.arrayWith([
            Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
            Match.objectLike({ Effect: "Deny", Condition: { NumericLessThan: { "s3:TlsVersion": 1.2 } } }),
          ]),
        },
      });
    }
  });

  test("snapshots grow cheaper, leftovers go, and runs stay unless a setting says otherwise", () => {
    const rules = (template: Template) =>
      propertiesOf(template, "AWS::S3::Bucket").flatMap(
        ({ LifecycleConfiguration }) => LifecycleConfiguration.Rules,
      );
    expect(rules(dev).map(({ Id }) => Id)).toEqual(["leftovers", "raw-to-infrequent-access"]);
    expect(rules(prod)).toContainEqual(
      expect.objectContaining({ Id: "expire-runs", Prefix: "runs/", ExpirationInDays: 90 }),
    );
    for (const { Prefix, ExpirationInDays } of [...rules(dev), ...rules(prod)]) {
      if (Prefix !== "runs/") expect(ExpirationInDays).toBeUndefined();
    }
  });

  test("the table is one, on demand, with a way back in time, TTL, a stream and its two indexes", () => {
    for (const template of both) {
      template.hasResourceProperties("AWS::DynamoDB::Table", {
        BillingMode: "PAY_PER_REQUEST",
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        TimeToLiveSpecification: { AttributeName: "ttl", Enabled: true },
        StreamSpecification: { StreamViewType: "NEW_IMAGE" },
        GlobalSecondaryIndexes: [
          Match.objectLike({ IndexName: "gsi1", Projection: { ProjectionType: "KEYS_ONLY" } }),
          Match.objectLike({ IndexName: "gsi2", Projection: { ProjectionType: "KEYS_ONLY" } }),
        ],
      });
    }
  });

  test("prod's data outlives the stage; another stage leaves nothing", () => {
    for (const type of [
      "AWS::S3::Bucket",
      "AWS::DynamoDB::Table",
      "AWS::ECR::Repository",
      "AWS::SecretsManager::Secret",
    ]) {
      prod.allResources(type, { DeletionPolicy: "Retain" });
      dev.allResources(type, { DeletionPolicy: "Delete" });
    }
    prod.allResourcesProperties("AWS::DynamoDB::Table", { DeletionProtectionEnabled: true });
    prod.resourceCountIs("Custom::S3AutoDeleteObjects", 0);
    dev.resourceCountIs("Custom::S3AutoDeleteObjects", 1);
  });

  test("secrets are made without a value", () => {
    const secrets = propertiesOf(prod, "AWS::SecretsManager::Secret");
    expect(secrets.map(({ Name, SecretString }) => [Name, SecretString])).toEqual([
      ["tracemill/prod/PROD_API_TOKEN", "unset"],
      ["tracemill/prod/OPENAI_API_KEY", "unset"],
    ]);
  });

  test("a message that fails five times is kept for two weeks", () => {
    dev.hasResourceProperties("AWS::SQS::Queue", {
      QueueName: "tracemill-dev-ingest",
      RedrivePolicy: { maxReceiveCount: 5 },
      SqsManagedSseEnabled: true,
      VisibilityTimeout: 5_400,
    });
    dev.hasResourceProperties("AWS::SQS::Queue", {
      QueueName: "tracemill-dev-ingest-dead-letters",
      MessageRetentionPeriod: 14 * 86_400,
    });
    dev.resourceCountIs("AWS::SQS::QueuePolicy", 3);
  });
});

describe("the stage as a whole", () => {
  test("logs are kept for as long as the setting says, and nowhere for ever", () => {
    for (const template of both)
      template.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 30 });
    for (const template of both) {
      for (const { LoggingConfig, FunctionName } of propertiesOf(template, "AWS::Lambda::Function")) {
        if (FunctionName !== undefined) expect(LoggingConfig.LogGroup).toBeDefined();
      }
    }
  });

  test("what users are told is what they can read", () => {
    for (const [template, name] of [
      [dev, "dev"],
      [prod, "prod"],
    ] as const) {
      const [{ Name, Value }] = propertiesOf(template, "AWS::SSM::Parameter") as [
        { Name: string; Value: unknown },
      ];
      expect(Name).toBe(stackParameter(name));
      const info = StackInfo.parse(JSON.parse(flat(Value)));
      expect(info.jobs.gpu === undefined).toBe(name === "dev");
      expect(info.jobs.sandbox.definition).toBe(`tracemill-${name}-sandbox-`);
      // Names in a real account are longer than the marks that stand for them here by some 60 characters each.
      expect(flat(Value, "x".repeat(60)).length).toBeLessThan(8_192);
    }
  });

  test("the source is mirrored when it is set, not before", () => {
    dev.resourceCountIs("AWS::Scheduler::Schedule", 0);
    prod.hasResourceProperties("AWS::Scheduler::Schedule", {
      State: "ENABLED",
      ScheduleExpressionTimezone: "Europe/Zurich",
      FlexibleTimeWindow: { Mode: "FLEXIBLE", MaximumWindowInMinutes: 15 },
    });
    const events = (template: Template) =>
      propertiesOf(template, "AWS::Events::Rule").map(({ EventPattern }) => EventPattern["detail-type"][0]);
    expect(events(dev)).not.toContain("SnapshotCompleted");
    prod.hasResourceProperties("AWS::Events::Rule", {
      EventPattern: { source: ["tracemill"], detail: { stage: ["prod"], source: ["prod"] } },
    });
  });

  test("a stopped or failed execution is cleaned up after, and somebody is told", () => {
    for (const template of both) {
      template.hasResourceProperties("AWS::Events::Rule", {
        EventPattern: { source: ["aws.states"], detail: { status: ["ABORTED", "FAILED", "TIMED_OUT"] } },
        Targets: [Match.objectLike({ DeadLetterConfig: Match.anyValue() })],
      });
      template.resourceCountIs("AWS::CloudWatch::Alarm", 7);
      template.resourceCountIs("AWS::CloudWatch::Dashboard", 1);
    }
    prod.resourceCountIs("AWS::SNS::Subscription", 1);
    dev.resourceCountIs("AWS::SNS::Subscription", 0);
  });

  test("alarms reach their topic, and none watches more metrics than CloudWatch takes", () => {
    for (const template of both) {
      template.hasResourceProperties("AWS::SNS::TopicPolicy", {
        PolicyDocument: {
          Statement: Match.arrayWith([
            Match.objectLike({
              Effect: "Allow",
              Principal: { Service: "cloudwatch.amazonaws.com" },
              Action: "sns:Publish",
            }),
          ]),
        },
      });
      for (const { Metrics = [], AlarmActions } of propertiesOf(template, "AWS::CloudWatch::Alarm")) {
        expect(AlarmActions).toHaveLength(1);
        expect(
          Metrics.filter(({ MetricStat }: { MetricStat?: object }) => MetricStat).length,
        ).toBeLessThanOrEqual(10);
      }
    }
  });

  test("shards' changes are summed once a minute, not once a change", () => {
    dev.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      MaximumBatchingWindowInSeconds: 60,
      BatchSize: 1_000,
      FilterCriteria: {
        Filters: [{ Pattern: JSON.stringify({ dynamodb: { Keys: { sk: { S: [{ prefix: "shard#" }] } } } }) }],
      },
    });
  });

  test("everything that can carry a tag carries the stage's", () => {
    for (const type of [
      "AWS::S3::Bucket",
      "AWS::DynamoDB::Table",
      "AWS::Lambda::Function",
      "AWS::StepFunctions::StateMachine",
    ]) {
      for (const { Tags } of propertiesOf(prod, type)) {
        expect(Tags).toEqual(
          expect.arrayContaining([
            { Key: "app", Value: "tracemill" },
            { Key: "stage", Value: "prod" },
          ]),
        );
      }
    }
    for (const { Tags } of propertiesOf(prod, "AWS::Batch::JobDefinition")) {
      expect(Tags).toMatchObject({ app: "tracemill", stage: "prod" });
    }
  });

  test("the API answers nobody without IAM credentials", () => {
    dev.allResourcesProperties("AWS::Lambda::Url", { AuthType: "AWS_IAM" });
    synthesized(stageOf("dev", { api: false })).resourceCountIs("AWS::Lambda::Url", 0);
  }, 120_000);

  test.each([
    ["dev", {}],
    ["prod", everything],
  ])(
    "cdk-nag finds nothing in %s that is not explained",
    (name, settings) => {
      const stack: Stack = stackOf(stageOf(name, settings));
      nagged(stack);
      Template.fromStack(stack);
      const found = Annotations.fromStack(stack).findError("*", Match.stringLikeRegexp("AwsSolutions-.*"));
      expect(found.map(({ id, entry }) => `${id}: ${String(entry.data).slice(0, 120)}`)).toEqual([]);
    },
    120_000,
  );

  test("every setting has a default, so that a stage needs no file", () => {
    expect(() => Settings.parse({})).not.toThrow();
  });
});

/** The text of a template's value, with a mark for what is known only in an account. */
function flat(value: unknown, mark = "mark"): string {
  if (typeof value === "string") return value;
  const [parts] = Object.values(value as Record<string, [string, unknown[]]>);
  return (parts?.[1] ?? []).map((part) => (typeof part === "string" ? part : mark)).join("");
}
