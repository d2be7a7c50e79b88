import { join } from "node:path";
import { batchClient } from "@tracemill/aws/clients/batch.ts";
import { cloudwatchLogsClient } from "@tracemill/aws/clients/cloudwatch-logs.ts";
import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import { ecrClient } from "@tracemill/aws/clients/ecr.ts";
import { iamClient } from "@tracemill/aws/clients/iam.ts";
import type { AwsOptions } from "@tracemill/aws/clients/options.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { secretsManagerClient } from "@tracemill/aws/clients/secrets-manager.ts";
import { serviceQuotasClient } from "@tracemill/aws/clients/service-quotas.ts";
import { sfnClient } from "@tracemill/aws/clients/sfn.ts";
import { sqsClient } from "@tracemill/aws/clients/sqs.ts";
import { ssmClient } from "@tracemill/aws/clients/ssm.ts";
import { stsClient } from "@tracemill/aws/clients/sts.ts";
import { type StageChecks, stageChecks } from "@tracemill/aws/control/doctor/stage-checks.ts";
import { sfnExecutions } from "@tracemill/aws/control/executions.ts";
import { ecrImages } from "@tracemill/aws/control/images.ts";
import { batchJobs } from "@tracemill/aws/control/jobs.ts";
import { cloudwatchLogs } from "@tracemill/aws/control/logs.ts";
import { readStack } from "@tracemill/aws/control/stack-lookup.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import { dynamoRecordStore } from "@tracemill/aws/record-store.ts";
import { secretsManagerStore } from "@tracemill/aws/secrets.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import { duckdbParquet } from "@tracemill/local/duckdb-parquet.ts";
import { tempScratch } from "@tracemill/local/scratch.ts";
import type { CloudHome, Place } from "../context.ts";

/** Attempts of a call by somebody who waits at a terminal: some seconds, not the minute of a worker. */
const maxAttempts = 4;

/**
 * Opens the stores of a deployed stage. Spools of an export lie in the local home.
 * @throws TracemillError as `readStack`.
 */
export async function openCloud(
  place: Place,
  { home, clock }: { home: string; clock: Clock },
): Promise<CloudHome> {
  const options: AwsOptions = {
    maxAttempts,
    ...(place.region === undefined ? {} : { region: place.region }),
  };
  const stack = await readStack(ssmClient(options), place.stage);
  const objects = s3ObjectStore({ client: s3Client(options), bucket: stack.bucket });
  const records = dynamoRecordStore({ client: dynamodbClient(options), table: stack.table });
  const executions = sfnExecutions(sfnClient(options));
  const batch = batchClient(options);
  const region = place.region === undefined ? "" : ` --region ${place.region}`;
  const scratchDir = join(home, "tmp");
  return {
    stack,
    objects,
    records,
    executions,
    jobs: batchJobs(batch),
    logs: cloudwatchLogs(cloudwatchLogsClient(options), { clock }),
    checks: checksOf(),
    scratch: tempScratch(scratchDir),
    parquet: duckdbParquet(scratchDir),
    locate: (key) => `s3://${stack.bucket}/${key}`,
    flags: ` --on aws --stage ${place.stage}${region}`,
    close: async () => undefined,
  };

  function checksOf(): StageChecks {
    const secretsManager = secretsManagerClient(options);
    return stageChecks({
      stack,
      objects,
      records,
      executions,
      images: ecrImages(ecrClient(options)),
      secrets: secretsManagerStore({ client: secretsManager, prefix: stack.secretPrefix }),
      clients: {
        batch,
        secretsManager,
        iam: iamClient(options),
        serviceQuotas: serviceQuotasClient(options),
        sqs: sqsClient(options),
        sts: stsClient(options),
      },
    });
  }
}
