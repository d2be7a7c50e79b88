import { Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { containerCpu, type Images } from "./images.ts";
import type { JobRoles } from "./job-roles.ts";
import type { Logs } from "./logs.ts";
import type { Network } from "./network.ts";
import type { Stage } from "./stage-file.ts";
import type { Storage } from "./storage.ts";

export interface JobParts {
  storage: Storage;
  images: Images;
  logs: Logs;
  network: Network;
  roles: JobRoles;
}

export interface Ground {
  scope: Construct;
  stage: Stage;
  parts: JobParts;
}

/** The entry point's arguments, from `SubmitJob`'s parameters (`packages/aws/src/pipeline/messages.ts`). */
export const command = ["stage", "runId", "target", "execution", "startedAt", "resumed"].map(
  (name) => `Ref::${name}`,
);

/** Variables of every container. Everything else is in the stack's parameter. */
export function environmentOf({ scope, stage, parts }: Ground) {
  const { bucket, table } = parts.storage;
  const { source } = stage.settings;
  const values = {
    TRACEMILL_STAGE: stage.name,
    TRACEMILL_BUCKET: bucket.bucketName,
    TRACEMILL_TABLE: table.tableName,
    AWS_REGION: Stack.of(scope).region,
    ...(source === undefined ? {} : { TRACEMILL_PROD_BASE_URL: source.baseUrl }),
  };
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}

export function logConfigurationOf({ scope, parts }: Ground, prefix: string) {
  return {
    logDriver: "awslogs",
    options: {
      "awslogs-group": parts.logs.jobs.logGroupName,
      "awslogs-region": Stack.of(scope).region,
      "awslogs-stream-prefix": prefix,
    },
  };
}

export function resources(size: { vcpus: number; memoryMiB: number; gpus?: number }) {
  return [
    // What is left beside the boxes is a difference: 8 - 9 × 0.8 is 0.7999999999999998.
    { type: "VCPU", value: String(Math.round(size.vcpus * 1_000) / 1_000) },
    { type: "MEMORY", value: String(size.memoryMiB) },
    ...(size.gpus ? [{ type: "GPU", value: String(size.gpus) }] : []),
  ];
}

/** What tasks on Fargate have in common. */
export function fargateTask({ parts, stage }: Ground) {
  return {
    executionRoleArn: parts.roles.execution.roleArn,
    networkConfiguration: { assignPublicIp: parts.network.publicAddresses ? "ENABLED" : "DISABLED" },
    runtimePlatform: {
      operatingSystemFamily: "LINUX",
      cpuArchitecture: containerCpu(stage) === "arm64" ? "ARM64" : "X86_64",
    },
  };
}

export const scratchEnvironment = [
  { name: "HOME", value: "/tmp" },
  { name: "TMPDIR", value: "/tmp" },
];
