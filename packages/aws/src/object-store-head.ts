import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { isAwsError, statusOf } from "./errors.ts";
import { type Bucket, inBucket } from "./object-store-bucket.ts";

/** For what an object must not exist when it is written. */
export type WriteIf = "absent" | "any";

/** Metadata that tells a writer its own object from another's, when the answer to its write was lost. */
export const writeMark = "tracemill-write";

export interface ObjectHead {
  /** Bytes. */
  size: number;
  /** The mark of the write that made it. */
  mark: string | undefined;
}

/** @returns `undefined` when there is no such object, or no such bucket: a HEAD does not tell them apart. */
export async function headObject(bucket: Bucket, key: string): Promise<ObjectHead | undefined> {
  const command = new HeadObjectCommand(inBucket(bucket, key));
  try {
    const found = await bucket.send("s3:GetObject", key, () => bucket.client.send(command));
    return { size: found.ContentLength ?? 0, mark: found.Metadata?.[writeMark] };
  } catch (error) {
    if (error instanceof Error && isAwsError(error.cause, "NotFound", "NoSuchKey")) return undefined;
    throw error;
  }
}

/** Whether this is S3's answer to `If-None-Match: *` when the object exists. */
export function isTaken(error: unknown): boolean {
  return isAwsError(error, "PreconditionFailed") || statusOf(error) === 412;
}
