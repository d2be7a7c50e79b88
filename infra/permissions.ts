import { stackParameter } from "@tracemill/aws/stack.ts";
import { ArnFormat, Stack } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { nameOf, type Stage } from "./stage-file.ts";
import type { Storage } from "./storage.ts";

/** What somebody may do, a statement each: exact actions on exact resources. */

export const allow = (actions: readonly string[], resources: readonly string[]): PolicyStatement =>
  new PolicyStatement({ actions: [...actions], resources: [...resources] });

/** Vended logs are delivered by rules of the account (Step Functions developer guide, "Logging"). */
export const logDeliveryActions = [
  "logs:CreateLogDelivery",
  "logs:GetLogDelivery",
  "logs:UpdateLogDelivery",
  "logs:DeleteLogDelivery",
  "logs:ListLogDeliveries",
  "logs:PutResourcePolicy",
  "logs:DescribeResourcePolicies",
  "logs:DescribeLogGroups",
] as const;

export const tracingActions = [
  "xray:PutTraceSegments",
  "xray:PutTelemetryRecords",
  "xray:GetSamplingRules",
  "xray:GetSamplingTargets",
] as const;

/**
 * Actions for which AWS has no resource to name. Source: the Service Authorization Reference, "Resource types".
 * Every other statement names its resources; `infra/policies.test.ts` holds them to it.
 */
export const actionsWithoutResource = [
  "batch:DescribeJobs",
  "batch:DescribeJobDefinitions",
  "batch:ListJobs",
  // Lambda asks for it before it reads a table's stream.
  "dynamodb:ListStreams",
  "ecr:GetAuthorizationToken",
  ...logDeliveryActions,
  ...tracingActions,
] as const;

export function withoutResource(
  actions: readonly (typeof actionsWithoutResource)[number][],
): PolicyStatement {
  return allow(actions, ["*"]);
}

/** First parts of object keys (`packages/core/src/keys.ts`). */
export type Prefix =
  | "raw"
  | "artifacts"
  | "spool"
  | "prepared"
  | "tasks"
  | "references"
  | "runs"
  | "datasets"
  | "models"
  | "specs";

const below = ({ bucket }: Storage, prefixes: readonly Prefix[]): string[] =>
  prefixes.map((prefix) => bucket.arnForObjects(`${prefix}/*`));

/** Listing says which keys there are, and makes S3 answer 404, not 403, for those that are not. */
export function readObjects(storage: Storage, prefixes: readonly Prefix[]): PolicyStatement[] {
  return [
    allow(["s3:GetObject"], below(storage, prefixes)),
    allow(["s3:ListBucket"], [storage.bucket.bucketArn]),
  ];
}

export function writeObjects(storage: Storage, prefixes: readonly Prefix[]): PolicyStatement {
  return allow(["s3:PutObject", "s3:AbortMultipartUpload"], below(storage, prefixes));
}

export function deleteObjects(storage: Storage, prefixes: readonly Prefix[]): PolicyStatement {
  return allow(["s3:DeleteObject"], below(storage, prefixes));
}

export function readRecords({ table }: Storage): PolicyStatement {
  return allow(["dynamodb:GetItem", "dynamodb:Query"], [table.tableArn]);
}

export function writeRecords({ table }: Storage): PolicyStatement {
  return allow(
    ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
    [table.tableArn],
  );
}

/** Reads what the stack tells its users. */
export function readStackInfo(scope: Construct, { name }: Stage): PolicyStatement {
  const parameter = Stack.of(scope).formatArn({
    service: "ssm",
    resource: "parameter",
    resourceName: stackParameter(name).slice(1),
  });
  return allow(["ssm:GetParameter"], [parameter]);
}

/** Secrets Manager ends the ARN of a secret with a dash and six characters of its own. */
export function readSecrets(scope: Construct, stage: Stage, names: readonly string[]): PolicyStatement[] {
  if (names.length === 0) return [];
  const arns = names.map((name) =>
    Stack.of(scope).formatArn({
      service: "secretsmanager",
      resource: "secret",
      resourceName: `${secretPrefix(stage)}${name}-??????`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    }),
  );
  return [allow(["secretsmanager:GetSecretValue"], arns)];
}

/** Of inference profiles' ids: where they call their model. */
const geography = /^(?:us|us-gov|eu|apac|jp|au|ca|sa|global)\./;

/**
 * Calls models of Bedrock in any region: an inference profile spreads over several, and its caller has to be allowed the
 * model behind it too. A model that is named without a geography may be called by the profiles of each.
 */
export function callModels(scope: Construct, models: readonly string[]): PolicyStatement[] {
  if (models.length === 0) return [];
  const { partition, account } = Stack.of(scope);
  const arns = models.flatMap((model) => [
    `arn:${partition}:bedrock:*::foundation-model/${model.replace(geography, "")}`,
    `arn:${partition}:bedrock:*:${account}:inference-profile/${geography.test(model) ? model : `*.${model}`}`,
  ]);
  return [allow(["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"], [...new Set(arns)])];
}

export function secretPrefix({ name }: Pick<Stage, "name">): string {
  return `tracemill/${name}/`;
}

/** Known by name, so that functions which it calls can watch it. */
export function stateMachineArn(scope: Construct, stage: Stage): string {
  return Stack.of(scope).formatArn({
    service: "states",
    resource: "stateMachine",
    resourceName: nameOf(stage),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}

/** @param suffix `:*` for runs; `/*` for what a distributed map starts below its label. */
export function executionArns(scope: Construct, stage: Stage, suffix: ":*" | "/*"): string {
  return Stack.of(scope).formatArn({
    service: "states",
    resource: "execution",
    resourceName: `${nameOf(stage)}${suffix}`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}

/** A job definition in all of its revisions. `part` may end with `*`. */
export function jobDefinitionArns(scope: Construct, stage: Stage, part: string): string[] {
  const arn = (resourceName: string) =>
    Stack.of(scope).formatArn({ service: "batch", resource: "job-definition", resourceName });
  const name = nameOf(stage, part);
  return [arn(name), arn(`${name}:*`)];
}

/** Batch makes the ids of jobs: none is known before. */
export function jobArns(scope: Construct): string {
  return Stack.of(scope).formatArn({ service: "batch", resource: "job", resourceName: "*" });
}

/** Ends other jobs only through their ids, which only `batch:ListJobs` tells. */
export function endJobs(scope: Construct): PolicyStatement {
  return allow(["batch:TerminateJob"], [jobArns(scope)]);
}

export const lambdaService = new ServicePrincipal("lambda.amazonaws.com");
export const tasksService = new ServicePrincipal("ecs-tasks.amazonaws.com");
