import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { TracemillError } from "@tracemill/core/errors.ts";
import { clampRange } from "@tracemill/core/ports/object-range.ts";
import type { GetOptions } from "@tracemill/core/ports/object-store.ts";
import { awsError, isAwsError, isPassing, statusOf } from "./errors.ts";
import { type Bucket, inBucket } from "./object-store-bucket.ts";
import { headObject } from "./object-store-head.ts";

/** How often in a row one object's connection may break without a byte in between. */
const maxBreaks = 5;

/** @returns the object's bytes, or those of the range; `undefined` when there is no such object. */
export async function readObject(
  bucket: Bucket,
  key: string,
  range: GetOptions["range"],
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const { start, end } = clampRange(range, Number.MAX_SAFE_INTEGER, key);
  if (start === end) return (await headObject(bucket, key)) === undefined ? undefined : nothing();
  const wanted = range === undefined ? undefined : { start, end: range.end === undefined ? undefined : end };
  try {
    const opened = await open(bucket, key, wanted);
    return whole(bucket, key, opened, start);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (isAwsError(cause, "NoSuchKey")) return undefined;
    if (isAwsError(cause, "InvalidRange") || statusOf(cause) === 416) return nothing();
    throw error;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

interface Wanted {
  start: number;
  /** Exclusive; absent: to the object's end. */
  end: number | undefined;
  /** The object must still be this one. */
  etag?: string | undefined;
}

function open(bucket: Bucket, key: string, wanted?: Wanted): Promise<GetObjectCommandOutput> {
  const last = wanted?.end === undefined ? "" : wanted.end - 1;
  const command = new GetObjectCommand({
    ...inBucket(bucket, key),
    ...(wanted !== undefined && { Range: `bytes=${wanted.start}-${last}` }),
    ...(wanted?.etag !== undefined && { IfMatch: wanted.etag }),
  });
  return bucket.send("s3:GetObject", key, () => bucket.client.send(command));
}

/** The bytes of an answer; a connection that breaks is opened anew behind what came. */
async function* whole(
  bucket: Bucket,
  key: string,
  opened: GetObjectCommandOutput,
  start: number,
): AsyncGenerator<Uint8Array> {
  const end = start + (opened.ContentLength ?? 0);
  let at = start;
  let breaks = 0;
  for (let answer = opened; ; ) {
    try {
      for await (const chunk of bytesOf(answer)) {
        at += chunk.byteLength;
        breaks = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      breaks += 1;
      if (at === end && isPassing(error)) return;
      if (breaks > maxBreaks || !isPassing(error)) throw broken(error, bucket, key);
    }
    answer = await openAgain(bucket, key, { start: at, end, etag: opened.ETag });
  }
}

async function openAgain(bucket: Bucket, key: string, wanted: Wanted): Promise<GetObjectCommandOutput> {
  try {
    return await open(bucket, key, wanted);
  } catch (error) {
    if (!(error instanceof Error) || statusOf(error.cause) !== 412) throw error;
    const message = `s3://${bucket.name}/${key} was replaced while it was read; read it again`;
    throw new TracemillError("storage-failed", message, { retryable: true, cause: error.cause });
  }
}

function bytesOf({ Body }: GetObjectCommandOutput): AsyncIterable<Uint8Array> {
  if (Body !== undefined && Symbol.asyncIterator in Body) return Body as AsyncIterable<Uint8Array>;
  return nothing();
}

function broken(error: unknown, bucket: Bucket, key: string): TracemillError {
  const doing = `reading s3://${bucket.name}/${key}`;
  if (error instanceof Error && /^Checksum mismatch/.test(error.message)) {
    const message = `${doing}: what came does not fit the object's checksum; restore an earlier version of it`;
    return new TracemillError("storage-corrupt", message, { cause: error });
  }
  return awsError(error, { doing, action: "s3:GetObject" });
}
