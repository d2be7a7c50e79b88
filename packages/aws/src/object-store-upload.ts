import { randomUUID } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { TracemillError } from "@tracemill/core/errors.ts";
import { isAwsError } from "./errors.ts";
import { type Bucket, inBucket } from "./object-store-bucket.ts";
import { headObject, isTaken, type WriteIf, writeMark } from "./object-store-head.ts";

/** Parts in flight: four fill a gigabit to S3 from one region. */
const partsAtOnce = 4;

/**
 * Our own loop over `UploadPart` rather than lib-storage's: it asks for the key's absence when it completes, knows
 * its own object again after a lost answer, and waits for parts in flight before it aborts, since a part that
 * arrives after the abort is kept (and paid for).
 * @returns whether the object was written; false only when it was to be absent and is there.
 */
export async function uploadParts(
  bucket: Bucket,
  key: string,
  parts: AsyncIterable<Uint8Array>,
  condition: WriteIf,
): Promise<boolean> {
  const mark = randomUUID();
  const uploadId = await begin(bucket, key, mark);
  try {
    const sent = await sendAll(bucket, key, uploadId, parts);
    const written = await complete(bucket, key, uploadId, sent, condition, mark);
    if (!written) await abort(bucket, key, uploadId);
    return written;
  } catch (error) {
    // A failed abort must not hide why it was needed; the bucket's lifecycle rule removes what then stays.
    await abort(bucket, key, uploadId).catch(() => undefined);
    throw error;
  }
}

async function begin(bucket: Bucket, key: string, mark: string): Promise<string> {
  const command = new CreateMultipartUploadCommand({
    ...inBucket(bucket, key),
    Metadata: { [writeMark]: mark },
    ChecksumAlgorithm: "CRC32",
  });
  const { UploadId } = await bucket.send("s3:PutObject", key, () => bucket.client.send(command));
  if (UploadId !== undefined) return UploadId;
  throw new TracemillError("storage-failed", `s3://${bucket.name}/${key}: S3 began an upload without an id`);
}

async function sendAll(
  bucket: Bucket,
  key: string,
  uploadId: string,
  parts: AsyncIterable<Uint8Array>,
): Promise<CompletedPart[]> {
  const sent: CompletedPart[] = [];
  const inFlight = new Set<Promise<void>>();
  const start = (body: Uint8Array, number: number): void => {
    const sending = sendPart(bucket, key, uploadId, body, number).then((part) => {
      sent[number - 1] = part;
      inFlight.delete(sending);
    });
    // Its failure is heard below; until then it must not count as unhandled.
    sending.catch(() => undefined);
    inFlight.add(sending);
  };
  try {
    let number = 0;
    for await (const body of parts) {
      number += 1;
      start(body, number);
      if (inFlight.size >= partsAtOnce) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    return sent;
  } finally {
    await Promise.allSettled(inFlight);
  }
}

async function sendPart(
  bucket: Bucket,
  key: string,
  uploadId: string,
  body: Uint8Array,
  number: number,
): Promise<CompletedPart> {
  const command = new UploadPartCommand({
    ...inBucket(bucket, key),
    UploadId: uploadId,
    PartNumber: number,
    Body: body,
    ChecksumAlgorithm: "CRC32",
  });
  const { ETag, ChecksumCRC32 } = await bucket.send("s3:PutObject", key, () => bucket.client.send(command));
  return {
    PartNumber: number,
    ...(ETag !== undefined && { ETag }),
    ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }),
  };
}

async function complete(
  bucket: Bucket,
  key: string,
  uploadId: string,
  parts: CompletedPart[],
  condition: WriteIf,
  mark: string,
): Promise<boolean> {
  const command = new CompleteMultipartUploadCommand({
    ...inBucket(bucket, key),
    UploadId: uploadId,
    MultipartUpload: { Parts: parts },
    ...(condition === "absent" && { IfNoneMatch: "*" }),
  });
  return bucket.send("s3:PutObject", key, async () => {
    try {
      await bucket.client.send(command);
      return true;
    } catch (error) {
      // `NoSuchUpload`: completed by an earlier try whose answer was lost, or aborted by somebody.
      if (!isTaken(error) && !isAwsError(error, "NoSuchUpload")) throw error;
      const found = await headObject(bucket, key);
      if (found?.mark === mark) return true;
      if (condition === "absent" && found !== undefined) return false;
      throw error;
    }
  });
}

async function abort(bucket: Bucket, key: string, uploadId: string): Promise<void> {
  const command = new AbortMultipartUploadCommand({ ...inBucket(bucket, key), UploadId: uploadId });
  try {
    await bucket.send("s3:AbortMultipartUpload", key, () => bucket.client.send(command));
  } catch (error) {
    if (!(error instanceof Error) || !isAwsError(error.cause, "NoSuchUpload")) throw error;
  }
}
