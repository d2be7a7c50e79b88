import {
  DeleteObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  type S3Client,
} from "@aws-sdk/client-s3";
import { TracemillError } from "@tracemill/core/errors.ts";
import { assertKeyPrefix, assertObjectKey } from "@tracemill/core/ports/object-key.ts";
import type { ObjectInfo, ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { statusOf } from "./errors.ts";
import { type Bucket, bucketOf } from "./object-store-bucket.ts";
import { headObject } from "./object-store-head.ts";
import { readObject } from "./object-store-read.ts";
import { writeObject } from "./object-store-write.ts";
import type { Patience } from "./patience.ts";

export interface S3ObjectStoreOptions {
  client: S3Client;
  bucket: string;
  /** Goes before every key, for stores that share a bucket: `team-a/`. Default none. */
  prefix?: string;
  patience?: Patience;
}

/** What S3 allows for a key, in UTF-8 bytes. */
const maxKeyBytes = 1_024;

/**
 * Objects in an S3 bucket under their own keys. A stream goes as one PUT up to 8 MiB and as a multipart upload
 * beyond, with at most 48 MiB of it in memory. A write asks for the key's absence by `If-None-Match` and knows its own object again
 * when the answer to a write was lost. Reads go on where a connection was cut. Objects whose key ends in `/`
 * (folders, as the console makes them) are not listed.
 * @throws TracemillError as the port says, and `not-found` (no such bucket), `unauthorized` (names the IAM action),
 * `invalid-input` (the bucket is in another region); `storage-failed` is retryable after throttling and cut
 * connections, `storage-corrupt` when what came does not fit its checksum.
 */
export function s3ObjectStore({ client, bucket, prefix = "", patience }: S3ObjectStoreOptions): ObjectStore {
  const store = bucketOf({ client, name: bucket, patience: patience ?? {} });
  const known = onlyOnce(() => assertBucket(store));
  const keyOf = (key: string): string => {
    assertObjectKey(key);
    if (Buffer.byteLength(prefix + key) <= maxKeyBytes) return prefix + key;
    throw new TracemillError("invalid-input", `object key ${JSON.stringify(key)}: too long below ${prefix}`);
  };
  return {
    putIfAbsent: async (key, body) => ({ created: await writeObject(store, keyOf(key), body, "absent") }),
    async put(key, body) {
      await writeObject(store, keyOf(key), body, "any");
    },
    get: async (key, options) => readObject(store, keyOf(key), options?.range),
    async head(key) {
      const found = await headObject(store, keyOf(key));
      // A HEAD's 404 does not say whether the object or the bucket is missing.
      if (found === undefined) await known();
      return found && { key, size: found.size };
    },
    async *list(start) {
      assertKeyPrefix(start);
      for await (const { key, size } of listed(store, prefix + start)) {
        yield { key: key.slice(prefix.length), size };
      }
    },
    async delete(key) {
      const Key = keyOf(key);
      await store.send("s3:DeleteObject", Key, () =>
        client.send(new DeleteObjectCommand({ Bucket: bucket, Key })),
      );
    },
  };
}

function onlyOnce(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work().catch((error: unknown) => {
      done = undefined;
      throw error;
    });
    return done;
  };
}

async function assertBucket(bucket: Bucket): Promise<void> {
  const { client, name } = bucket;
  try {
    await bucket.send("s3:ListBucket", "", () => client.send(new HeadBucketCommand({ Bucket: name })));
  } catch (error) {
    const isMissing = error instanceof Error && statusOf(error.cause) === 404;
    throw isMissing ? bucket.missing(error) : error;
  }
}

async function* listed(bucket: Bucket, prefix: string): AsyncGenerator<ObjectInfo> {
  let after: string | undefined;
  do {
    const page = await bucket.send("s3:ListBucket", prefix, () =>
      bucket.client.send(
        new ListObjectsV2Command({
          Bucket: bucket.name,
          Prefix: prefix,
          // XML cannot express every character that a key may have.
          EncodingType: "url",
          ...(after !== undefined && { ContinuationToken: after }),
        }),
      ),
    );
    for (const { Key = "", Size = 0 } of page.Contents ?? []) {
      const key = decodeURIComponent(Key.replaceAll("+", " "));
      if (!key.endsWith("/")) yield { key, size: Size };
    }
    after = page.NextContinuationToken;
  } while (after !== undefined);
}
