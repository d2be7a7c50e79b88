import { randomUUID } from "node:crypto";
import { CreateQueueCommand } from "@aws-sdk/client-sqs";
import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import type { AwsOptions } from "@tracemill/aws/clients/options.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { sqsClient } from "@tracemill/aws/clients/sqs.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import { dynamoRecordStore } from "@tracemill/aws/record-store.ts";
import { sqsWorkQueue } from "@tracemill/aws/work-queue.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { collect } from "@tracemill/core/streams.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Fault, type FaultProxy, type SeenRequest, startFaultProxy } from "../emulators/fault-proxy.ts";
import { startMoto } from "../emulators/moto.ts";
import { createBucket, createTable, emulated } from "../emulators/resources.ts";
import type { ServerProcess } from "../emulators/server-process.ts";
import { pythonMissing } from "../emulators/venv.ts";
import { gather } from "../fakes/gather.ts";

const missing = await pythonMissing();
const title = missing === undefined ? "AWS, with faults" : `AWS, with faults (skipped: ${missing})`;
const MiB = 1024 * 1024;

describe.skipIf(missing !== undefined)(title, () => {
  let moto: ServerProcess | undefined;
  let proxy: FaultProxy;
  beforeAll(async () => {
    moto = await startMoto();
  }, 300_000);
  afterAll(() => moto?.close());
  beforeEach(async () => {
    proxy = await startFaultProxy(moto?.endpoint);
  });
  afterEach(() => proxy.close());

  describe("S3", () => objects(() => proxy));
  describe("DynamoDB", () => records(() => proxy));
  describe("SQS", () => queues(() => proxy));
});

/** The first requests that fit meet a fault. */
function first(count: number, fault: Fault, fits: (request: SeenRequest) => boolean = () => true) {
  let left = count;
  return (request: SeenRequest): Fault | undefined => {
    if (left === 0 || !fits(request)) return undefined;
    left -= 1;
    return fault;
  };
}

/** Of the requests that fit, the first and then every n-th meet a fault. */
function everyNth(n: number, fault: Fault, fits: (request: SeenRequest) => boolean) {
  let count = 0;
  return (request: SeenRequest): Fault | undefined => {
    if (!fits(request)) return undefined;
    count += 1;
    return count % n === 1 ? fault : undefined;
  };
}

/** A body that repeats; each part of it tells its place. */
async function* megabytes(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(MiB, index + 1);
}

const whole = async (count: number): Promise<Buffer> => collect(megabytes(count));

function objects(open: () => FaultProxy): void {
  const slowDown: Fault = {
    status: 503,
    headers: { "content-type": "application/xml" },
    body: "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
  };
  const isPut = ({ method }: SeenRequest): boolean => method === "PUT";
  const isPart = ({ method, url }: SeenRequest): boolean => method === "PUT" && url.includes("partNumber=");
  const isComplete = ({ method, url }: SeenRequest): boolean =>
    method === "POST" && url.includes("uploadId=");

  async function bucket(options: AwsOptions & { patienceMs?: number } = {}) {
    const { endpoint } = open();
    const name = `tracemill-${randomUUID()}`;
    await createBucket(endpoint, name);
    const { patienceMs = 30_000, ...client } = options;
    const store = s3ObjectStore({
      client: s3Client({ ...emulated(endpoint), ...client }),
      bucket: name,
      patience: { patienceMs },
    });
    const uploads = async (): Promise<boolean> =>
      (await (await fetch(`${endpoint}/${name}?uploads`)).text()).includes("<UploadId>");
    return { store, uploads };
  }

  const read = async (store: ObjectStore, key: string): Promise<Buffer | undefined> => {
    const body = await store.get(key);
    return body && (await collect(body));
  };

  const isWhole = async (store: ObjectStore, count: number): Promise<boolean> =>
    (await read(store, "large"))?.equals(await whole(count)) === true;

  test("a burst of 503s loses no object", async () => {
    const { store } = await bucket();
    open().rule(first(40, slowDown));
    const keys = Array.from({ length: 20 }, (_, n) => `runs/r/${String(n).padStart(2, "0")}`);
    const written = await Promise.all(keys.map((key) => store.putIfAbsent(key, Buffer.from(key))));
    expect(written.every(({ created }) => created)).toBe(true);
    expect((await gather(store.list("runs/"))).map(({ key }) => key)).toEqual(keys);
  });

  test("more 503s than the SDK retries are waited out", async () => {
    const { store } = await bucket({ maxAttempts: 2 });
    open().rule(first(5, slowDown, isPut));
    expect(await store.putIfAbsent("key", Buffer.from("x"))).toEqual({ created: true });
  });

  test("a write that was made, but whose answer was lost, is known as this writer's own", async () => {
    const { store } = await bucket();
    open().rule(first(1, "lose-answer", isPut));
    expect(await store.putIfAbsent("key", Buffer.from("mine"))).toEqual({ created: true });
    open().rule(first(1, "cut", isPut));
    expect(await store.putIfAbsent("key", Buffer.from("other"))).toEqual({ created: false });
    expect(String(await read(store, "key"))).toBe("mine");
  });

  test("an upload whose connection is cut in the middle arrives whole", async () => {
    const { store, uploads } = await bucket();
    open().rule(first(3, "cut", isPart));
    await store.put("large", megabytes(27));
    expect(open().seen.filter(isPart)).toHaveLength(4 + 3);
    expect(await isWhole(store, 27)).toBe(true);
    expect(await uploads()).toBe(false);
  });

  test.each(["put", "putIfAbsent"] as const)(
    "an upload whose last answer was lost counts as done, once (%s)",
    async (verb) => {
      const { store } = await bucket();
      open().rule(first(1, "lose-answer", isComplete));
      const written = await store[verb]("large", megabytes(20));
      if (verb === "putIfAbsent") expect(written).toEqual({ created: true });
      expect(await isWhole(store, 20)).toBe(true);
    },
  );

  test("of two large uploads for one absent key one wins, and the other leaves nothing", async () => {
    const { store, uploads } = await bucket();
    const results = await Promise.all([
      store.putIfAbsent("large", megabytes(20)),
      store.putIfAbsent("large", megabytes(21)),
    ]);
    expect(results.map(({ created }) => created).sort()).toEqual([false, true]);
    const won = results[0]?.created === true ? 20 : 21;
    expect((await store.head("large"))?.size).toBe(won * MiB);
    expect(await uploads()).toBe(false);
  });

  test("a large stream for a key that is there is not sent, and its source is closed", async () => {
    const { store } = await bucket();
    await store.put("large", Buffer.from("old"));
    let closed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* megabytes(100);
      } finally {
        closed = true;
      }
    }
    expect(await store.putIfAbsent("large", source())).toEqual({ created: false });
    expect(closed).toBe(true);
    expect(open().seen.filter(isPart)).toEqual([]);
  });

  test("a source that breaks after 20 MiB leaves neither object nor upload", async () => {
    const { store, uploads } = await bucket();
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield* megabytes(20);
      throw new Error("the source broke");
    }
    await expect(store.put("large", breaking())).rejects.toThrow("the source broke");
    expect(open().seen.filter(isPart).length).toBeGreaterThan(0);
    expect(await uploads()).toBe(false);
    expect(await store.head("large")).toBeUndefined();
  });

  test("an upload that never works fails as something to try again, and leaves nothing", async () => {
    const { store, uploads } = await bucket({ maxAttempts: 2, patienceMs: 0 });
    open().rule((request) => (isPart(request) ? "cut" : undefined));
    await expect(store.put("large", megabytes(40))).rejects.toMatchObject({
      code: "storage-failed",
      retryable: true,
      message: expect.stringContaining("large"),
    });
    expect(await uploads()).toBe(false);
  });

  test("a slow bucket is not fed faster than it takes: a stream waits", async () => {
    const { store } = await bucket();
    let ahead = 0;
    let most = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of megabytes(120)) {
        ahead += 1;
        most = Math.max(most, ahead - 8 * open().seen.filter(isPart).length);
        yield chunk;
      }
    }
    await store.put("large", counted());
    // Four parts on their way and two at hand.
    expect(most).toBeLessThanOrEqual(6 * 8);
    expect((await store.head("large"))?.size).toBe(120 * MiB);
  });

  test("a download whose connection is cut goes on where it was", async () => {
    const { store } = await bucket();
    await store.put("large", megabytes(20));
    open().rule(first(2, "cut-answer", ({ method }) => method === "GET"));
    expect(await isWhole(store, 20)).toBe(true);
    const ranged = await store.get("large", { range: { start: MiB - 1, end: 3 * MiB + 1 } });
    const middle = (await whole(20)).subarray(MiB - 1, 3 * MiB + 1);
    expect((await collect(ranged ?? megabytes(0))).equals(middle)).toBe(true);
  });

  test("an object that is replaced while a cut download waits is not mixed with the new one", async () => {
    const { store } = await bucket();
    await store.put("key", await whole(4));
    open().rule(first(1, "cut-answer", ({ method }) => method === "GET"));
    const body = await store.get("key");
    await store.put("key", Buffer.alloc(4 * MiB, 99));
    await expect(collect(body ?? megabytes(0))).rejects.toMatchObject({
      code: "storage-failed",
      retryable: true,
      message: expect.stringContaining("replaced while it was read"),
    });
  });
}

function records(open: () => FaultProxy): void {
  const throttled: Fault = {
    status: 400,
    headers: { "content-type": "application/x-amz-json-1.0" },
    body: JSON.stringify({
      __type: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
      message: "The level of configured provisioned throughput for the table was exceeded.",
    }),
  };
  const key = { pk: "run#1", sk: "trial#1" };
  const isWrite = ({ action }: SeenRequest): boolean => action === "UpdateItem" || action === "DeleteItem";

  async function table(options: AwsOptions & { patienceMs?: number } = {}): Promise<RecordStore> {
    const { patienceMs = 30_000, ...client } = options;
    const dynamodb = dynamodbClient({ ...emulated(open().endpoint), ...client });
    const name = `tracemill-${randomUUID()}`;
    await createTable(dynamodb, name);
    return dynamoRecordStore({ client: dynamodb, table: name, patience: { patienceMs } });
  }

  test("a throttled table loses no count and counts nothing twice", async () => {
    const store = await table();
    open().rule(first(16, throttled));
    const add = async (): Promise<void> => {
      for (;;) {
        const found = await store.get(key);
        const condition = found === undefined ? "absent" : { version: found.version };
        if ((await store.put(key, Number(found?.data ?? 0) + 1, condition)) !== undefined) return;
      }
    };
    await Promise.all(Array.from({ length: 8 }, add));
    expect(await store.get(key)).toMatchObject({ version: 8, data: 8 });
  });

  test("answers that get lost at random lose no count and count nothing twice", async () => {
    const store = await table();
    open().rule(everyNth(3, "lose-answer", isWrite));
    for (let n = 1; n <= 12; n += 1) {
      const found = await store.get(key);
      const condition = found === undefined ? "absent" : { version: found.version };
      expect(await store.put(key, n, condition)).toBe(n);
    }
    expect(await store.get(key)).toMatchObject({ version: 12, data: 12 });
  });

  test.each([
    ["absent", "absent" as const, 0],
    ["of a version", { version: 1 }, 1],
    ["of any", "any" as const, 1],
  ])("a write on condition %s whose answer was lost is this writer's own", async (_, condition, before) => {
    const store = await table();
    if (before === 1) await store.put(key, "before", "absent");
    open().rule(first(1, "lose-answer", isWrite));
    expect(await store.put(key, "mine", condition)).toBe(before + 1);
    expect(await store.get(key)).toMatchObject({ version: before + 1, data: "mine" });
  });

  test("a write that came too late is still somebody else's, whatever was lost", async () => {
    const store = await table();
    await store.put(key, "theirs", "absent");
    open().rule(first(1, "lose-answer", isWrite));
    expect(await store.put(key, "mine", "absent")).toBeUndefined();
    open().rule(first(1, "cut", isWrite));
    expect(await store.put(key, "mine", { version: 7 })).toBeUndefined();
    expect(await store.get(key)).toMatchObject({ version: 1, data: "theirs" });
  });

  test("a delete whose answer was lost is done", async () => {
    const store = await table();
    await store.put(key, "x", "absent");
    open().rule(first(1, "lose-answer", isWrite));
    expect(await store.delete(key, { version: 1 })).toBe(true);
    expect(await store.delete(key, { version: 1 })).toBe(false);
  });

  test("a table that stays throttled fails as something to try again", async () => {
    const store = await table({ maxAttempts: 2, patienceMs: 0 });
    open().rule(() => throttled);
    await expect(store.get(key)).rejects.toMatchObject({
      code: "storage-failed",
      retryable: true,
      message: expect.stringContaining("ProvisionedThroughputExceededException"),
    });
  });
}

function queues(open: () => FaultProxy): void {
  test("with lost answers everywhere, every message has its effect, once", async () => {
    const { endpoint } = open();
    const client = sqsClient(emulated(endpoint));
    const created = await client.send(
      new CreateQueueCommand({ QueueName: randomUUID(), Attributes: { VisibilityTimeout: "1" } }),
    );
    const queue = sqsWorkQueue({ client, queueUrl: created.QueueUrl ?? "" });
    const name = `tracemill-${randomUUID()}`;
    await createBucket(endpoint, name);
    const effects = s3ObjectStore({ client: s3Client(emulated(endpoint)), bucket: name });

    open().rule(everyNth(4, "lose-answer", ({ action }) => action.endsWith("Message")));
    const sent = Array.from({ length: 20 }, (_, n) => `effects/${String(n).padStart(2, "0")}`);
    for (const key of sent) await queue.send(key);

    const first: string[] = [];
    let delivered = 0;
    for (let quiet = 0; quiet < 2; ) {
      const messages = await queue.receive({ max: 10, waitMs: 1_000 });
      quiet = messages.length === 0 ? quiet + 1 : 0;
      for (const { body, acknowledge } of messages.toReversed()) {
        delivered += 1;
        if ((await effects.putIfAbsent(String(body), Buffer.from("done"))).created) first.push(String(body));
        await acknowledge();
      }
    }
    expect(delivered).toBeGreaterThan(sent.length);
    expect(first.sort()).toEqual(sent);
  });
}
