/**
 * What the functions are made of, each part made when it is first used and kept while the function is warm. The
 * marks let a bundle leave out the parts that its handler does not use.
 */
import { Logger } from "@aws-lambda-powertools/logger";
import { batchClient } from "@tracemill/aws/clients/batch.ts";
import { cloudwatchLogsClient } from "@tracemill/aws/clients/cloudwatch-logs.ts";
import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import { ecrClient } from "@tracemill/aws/clients/ecr.ts";
import { eventbridgeClient } from "@tracemill/aws/clients/eventbridge.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { secretsManagerClient } from "@tracemill/aws/clients/secrets-manager.ts";
import { sfnClient } from "@tracemill/aws/clients/sfn.ts";
import { sqsClient } from "@tracemill/aws/clients/sqs.ts";
import { ssmClient } from "@tracemill/aws/clients/ssm.ts";
import { eventBridgeBus } from "@tracemill/aws/control/events.ts";
import { sfnExecutions } from "@tracemill/aws/control/executions.ts";
import { ecrImages } from "@tracemill/aws/control/images.ts";
import { batchJobs } from "@tracemill/aws/control/jobs.ts";
import { cloudwatchLogs } from "@tracemill/aws/control/logs.ts";
import { readStack } from "@tracemill/aws/control/stack-lookup.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import { dynamoRecordStore } from "@tracemill/aws/record-store.ts";
import { secretsManagerStore } from "@tracemill/aws/secrets.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import { sqsWorkQueue } from "@tracemill/aws/work-queue.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import type { WorkQueue } from "@tracemill/core/ports/work-queue.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import { registeredImages } from "./collect/missing-images.ts";
import { config } from "./config.ts";
import { batchLiveJobs } from "./failures/live-jobs.ts";
import { embeddedMetrics } from "./metrics.ts";
import { once } from "./once.ts";
import type { Events, Executions, JobLogs, Jobs, Log, TaskImages } from "./ports.ts";

export const clock: Clock = systemClock;

export const logger = /* @__PURE__ */ once(() => new Logger({ serviceName: "tracemill" }));

/** The same as core's functions see it. */
export function log(): Log {
  const lines = logger();
  return {
    info: (message, fields = {}) => lines.info(message, fields),
    warn: (message, fields = {}) => lines.warn(message, fields),
    error: (message, fields = {}) => lines.error(message, fields),
  };
}

export const objects = /* @__PURE__ */ once(() =>
  s3ObjectStore({ client: s3Client(), bucket: config().bucket }),
);

export const records = /* @__PURE__ */ once(() =>
  dynamoRecordStore({ client: dynamodbClient(), table: config().table }),
);

/** Read once: a deployment that changes it also replaces the functions. */
export const stack: () => Promise<StackInfo> = /* @__PURE__ */ once(() =>
  readStack(ssmClient(), config().stage),
);

export const metrics = /* @__PURE__ */ once(() => embeddedMetrics(config().stage));

export const events: () => Events = /* @__PURE__ */ once(() => eventBridgeBus(eventbridgeClient()));

export async function ingestQueue(): Promise<WorkQueue> {
  return sqsWorkQueue({ client: sqsClient(), queueUrl: (await stack()).ingestQueueUrl });
}

const secretStore = /* @__PURE__ */ once(async (): Promise<SecretStore> => {
  const { secretPrefix } = await stack();
  return secretsManagerStore({ client: secretsManagerClient(), prefix: secretPrefix });
});
export const secrets = (): Promise<SecretStore> => secretStore();

const batch = /* @__PURE__ */ once(() => batchJobs(batchClient()));

export function jobs(): Jobs {
  return batchLiveJobs(batch());
}

export async function taskImages(): Promise<TaskImages> {
  return registeredImages(await stack(), { jobs: batch(), images: ecrImages(ecrClient()) });
}

export async function jobLogs(): Promise<JobLogs> {
  const { logGroups } = await stack();
  const logs = cloudwatchLogs(cloudwatchLogsClient(), { clock });
  return {
    tail: async (stream, lines) =>
      (await logs.tail(logGroups.jobs, stream, lines)).map(({ message }) => message),
  };
}

const machines = /* @__PURE__ */ once(() => sfnExecutions(sfnClient()));

export async function executions(): Promise<Executions> {
  const { stateMachineArn } = await stack();
  return {
    start: async (execution) => {
      await machines().start({ stateMachineArn, ...execution });
    },
    stop: (arn, cause) => machines().stop(arn, { cause }),
    running: () => machines().list(stateMachineArn, { status: "RUNNING" }),
    causeOf: async (arn) => (await machines().describe(arn))?.cause,
  };
}
