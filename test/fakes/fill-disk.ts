/** Fills the small disk at `argv[2]` and prints what the stores say to it. Run by a test, in a mount namespace. */
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isTracemillError, messageOf } from "@tracemill/core/errors.ts";
import { collect } from "@tracemill/core/streams.ts";
import { duckdbParquet } from "@tracemill/local/duckdb-parquet.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { tempScratch } from "@tracemill/local/scratch.ts";
import { gather } from "./gather.ts";

const dir = process.argv[2] ?? "";

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "created";
  } catch (error) {
    return isTracemillError(error) ? error.code : messageOf(error);
  }
}

async function* megabyte(): AsyncGenerator<Uint8Array> {
  for (let part = 0; part < 10; part += 1) yield Buffer.alloc(100_000, part);
}

const store = openObjectStore(join(dir, "objects"));
await store.put("fits", Buffer.alloc(400_000));
let objectMessage = "";
const small = await codeOf(() =>
  store.put("small", Buffer.alloc(250_000)).catch((error: unknown) => {
    objectMessage = messageOf(error);
    throw error;
  }),
);
const streamed = await codeOf(() => store.putIfAbsent("streamed", megabyte()));
const keys = (await gather(store.list(""))).map(({ key }) => key);
const temp = readdirSync(join(dir, "objects/.tmp"));
await store.delete("fits");
const afterDelete = await codeOf(() => store.put("small", Buffer.alloc(250_000)));
rmSync(join(dir, "objects"), { recursive: true });

const recordStore = openRecordStore(join(dir, "records.sqlite"));
const records = await codeOf(async () => {
  for (let n = 0; n < 1_000; n += 1)
    await recordStore.put({ pk: "p", sk: `${n}` }, "x".repeat(10_000), "absent");
});
const scratch = await codeOf(async () => {
  await using file = await tempScratch(dir).create();
  for (let n = 0; n < 100; n += 1) await file.write(Buffer.alloc(100_000));
});
// The rows fit, their Parquet file beside them does not: random text hardly compresses.
async function* randomRows(): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < 420; n += 1)
    yield Buffer.from(`${JSON.stringify({ text: randomBytes(600).toString("hex") })}\n`);
}
recordStore.close();
rmSync(join(dir, "records.sqlite"), { force: true });
const parquet = await codeOf(() => collect(duckdbParquet(dir).encode(randomRows(), { text: "VARCHAR" })));
const parquetLeft = readdirSync(join(dir, "parquet"));

process.stdout.write(
  JSON.stringify({
    objects: { small, streamed, keys, temp },
    objectMessage,
    afterDelete,
    records,
    scratch,
    parquet,
    parquetLeft,
  }),
);
