import { randomUUID } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { ObjectBody } from "@tracemill/core/ports/object-store.ts";
import { attemptsOf } from "./errors.ts";
import { type Bucket, inBucket } from "./object-store-bucket.ts";
import { headObject, isTaken, type WriteIf, writeMark } from "./object-store-head.ts";
import { uploadParts } from "./object-store-upload.ts";
import { partBytes, partsOf } from "./parts.ts";

/** What is in memory anyway goes in one request up to this size: it costs one PUT instead of one a part and two more. */
const wholeBytes = 64 * 1024 * 1024;

/**
 * Writes an object whole or not at all.
 * @returns whether it was written; false only when it was to be absent and is there.
 */
export async function writeObject(
  bucket: Bucket,
  key: string,
  body: ObjectBody,
  condition: WriteIf,
): Promise<boolean> {
  if (body instanceof Uint8Array && body.byteLength <= wholeBytes)
    return putWhole(bucket, key, body, condition);
  const parts = partsOf(body);
  try {
    const first = (await parts.next()).value ?? new Uint8Array(0);
    if (first.byteLength < partBytes) return await putWhole(bucket, key, first, condition);
    const second = await parts.next();
    if (second.done === true) return await putWhole(bucket, key, first, condition);
    if (condition === "absent" && (await headObject(bucket, key)) !== undefined) return false;
    return await uploadParts(bucket, key, joined(first, second.value, parts), condition);
  } finally {
    // Ends the source too: what nobody reads on must not stay open.
    await parts.return(undefined);
  }
}

async function* joined(
  first: Uint8Array,
  second: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first;
  yield second;
  yield* rest;
}

async function putWhole(bucket: Bucket, key: string, body: Uint8Array, condition: WriteIf): Promise<boolean> {
  const mark = randomUUID();
  const command = new PutObjectCommand({
    ...inBucket(bucket, key),
    Body: body,
    Metadata: { [writeMark]: mark },
    ...(condition === "absent" && { IfNoneMatch: "*" }),
  });
  return bucket.send("s3:PutObject", key, async (again) => {
    try {
      await bucket.client.send(command);
      return true;
    } catch (error) {
      if (!isTaken(error)) throw error;
      const mayBeOurs = again || attemptsOf(error) > 1;
      return mayBeOurs && (await headObject(bucket, key))?.mark === mark;
    }
  });
}
