import type { S3Client } from "@aws-sdk/client-s3";
import { TracemillError } from "@tracemill/core/errors.ts";
import { awsError, isAwsError, statusOf } from "./errors.ts";
import { type Patience, patiently } from "./patience.ts";

export interface Bucket {
  client: S3Client;
  name: string;
  patience: Patience;
  /**
   * Sends a call about a key, with patience.
   * @param work is told whether an earlier try may have had its effect already.
   * @throws TracemillError whose cause is what the SDK threw.
   */
  send<T>(action: string, key: string, work: (again: boolean) => Promise<T>): Promise<T>;
  missing(cause: unknown): TracemillError;
}

export function bucketOf({ client, name, patience }: Pick<Bucket, "client" | "name" | "patience">): Bucket {
  const missing = (cause: unknown): TracemillError =>
    new TracemillError(
      "not-found",
      `bucket ${name} does not exist; deploy the stage that it belongs to, or correct its name`,
      { cause },
    );
  return {
    client,
    name,
    patience,
    missing,
    async send(action, key, work) {
      try {
        return await patiently(work, patience);
      } catch (error) {
        if (isAwsError(error, "NoSuchBucket")) throw missing(error);
        throw (
          (await elsewhere(client, name, error)) ?? awsError(error, { doing: `s3://${name}/${key}`, action })
        );
      }
    },
  };
}

export function inBucket(bucket: Bucket, key: string): { Bucket: string; Key: string } {
  return { Bucket: bucket.name, Key: key };
}

/** The error of a client that asks in the wrong region: S3 answers with a redirect and names the right one. */
async function elsewhere(
  client: S3Client,
  name: string,
  error: unknown,
): Promise<TracemillError | undefined> {
  const isElsewhere =
    isAwsError(
      error,
      "PermanentRedirect",
      "AuthorizationHeaderMalformed",
      "IllegalLocationConstraintException",
    ) || statusOf(error) === 301;
  if (!isElsewhere) return undefined;
  const here = await client.config.region();
  const there = regionIn(error);
  const message = `bucket ${name} is in ${there ?? "another region"}, not in ${here}`;
  const remedy = `set AWS_REGION${there === undefined ? " to its region" : `=${there}`}`;
  return new TracemillError("invalid-input", `${message}; ${remedy}`, { cause: error });
}

/** From the header of the answer, or from the body's `Region`, which the SDK puts on the error. */
function regionIn(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  if ("Region" in error && typeof error.Region === "string") return error.Region;
  const response = "$response" in error ? error.$response : undefined;
  if (typeof response !== "object" || response === null || !("headers" in response)) return undefined;
  const headers = response.headers as Record<string, string | undefined>;
  return headers["x-amz-bucket-region"];
}
