import { S3Client } from "@aws-sdk/client-s3";
import { awsEnvironment } from "../config.ts";
import { type AwsOptions, clientSettings } from "./options.ts";
import { eachAttempt, Pace, paced } from "./pace.ts";

/** Buckets are in the host name at AWS, and in the path at any other endpoint, which has no such host names. */
export function s3Client(options?: AwsOptions): S3Client {
  const forcePathStyle = (options?.endpoint ?? awsEnvironment().endpoint) !== undefined;
  const client = new S3Client({ ...clientSettings(options), forcePathStyle });
  client.middlewareStack.addRelativeTo(paced(new Pace()), eachAttempt);
  return client;
}
