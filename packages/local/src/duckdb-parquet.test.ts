import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { ParquetSchema } from "@tracemill/core/ports/parquet.ts";
import { collect } from "@tracemill/core/streams.ts";
import { expect, test } from "vitest";
import { tempDir } from "../../../test/fakes/temp-dir.ts";
import { duckdbParquet } from "./duckdb-parquet.ts";

const schema: ParquetSchema = {
  id: "BIGINT",
  text: "VARCHAR",
  reward: "DOUBLE",
  ok: "BOOLEAN",
  messages: { list: { struct: { role: "VARCHAR", "odd \"name'": { list: "VARCHAR" } } } },
};

async function* jsonl(values: Iterable<unknown>): AsyncGenerator<Uint8Array> {
  for (const value of values) yield Buffer.from(`${JSON.stringify(value)}\n`);
}

async function read(dir: string, parquet: Uint8Array, sql: string): Promise<unknown[]> {
  const file = join(dir, "read.parquet");
  writeFileSync(file, parquet);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(sql.replaceAll("FILE", `'${file}'`));
  connection.closeSync();
  instance.closeSync();
  return reader.getRowObjectsJson();
}

test("rows come back as they went in, in their order", async () => {
  await using dir = await tempDir();
  const rows = [
    {
      id: 1,
      text: "zero \0 and 🎉\n",
      reward: 0.1,
      ok: true,
      messages: [{ role: "user", "odd \"name'": ["a", null] }],
    },
    { id: 2, text: null, reward: null, ok: null, messages: [] },
    { id: 3, text: "", reward: -1, ok: false, messages: null },
  ];
  const parquet = await collect(duckdbParquet(dir.path).encode(jsonl(rows), schema));
  const back = await read(dir.path, parquet, "SELECT * REPLACE (id::INTEGER AS id) FROM FILE");
  expect(back).toEqual(rows);
});

test("the same rows give the same bytes", async () => {
  await using dir = await tempDir();
  const rows = Array.from({ length: 60_000 }, (_, id) => ({
    id,
    text: `row ${id} `.repeat(100),
    messages: [{ role: "user" }],
  }));
  const encode = () => collect(duckdbParquet(dir.path).encode(jsonl(rows), schema));
  const first = await encode();
  for (let again = 0; again < 3; again += 1) expect((await encode()).equals(first)).toBe(true);
});

test("no rows give a file with the schema", async () => {
  await using dir = await tempDir();
  const parquet = await collect(duckdbParquet(dir.path).encode(jsonl([]), schema));
  expect(await read(dir.path, parquet, "SELECT count(*)::INTEGER AS n FROM FILE")).toEqual([{ n: 0 }]);
  const columns = await read(dir.path, parquet, "SELECT column_name FROM (DESCRIBE FROM FILE)");
  expect(columns).toEqual(Object.keys(schema).map((name) => ({ column_name: name })));
});

test("a line of tens of megabytes is taken", async () => {
  await using dir = await tempDir();
  const rows = [
    { id: 1, text: "x".repeat(40_000_000) },
    { id: 2, text: "short" },
  ];
  const parquet = await collect(duckdbParquet(dir.path).encode(jsonl(rows), schema));
  const lengths = await read(dir.path, parquet, "SELECT length(text)::INTEGER AS n FROM FILE ORDER BY id");
  expect(lengths).toEqual([{ n: 40_000_000 }, { n: 5 }]);
});

test.each([
  ["2,000 times 16 KB", 2_000, 16_000],
  ["400 times 200 KB", 400, 200_000],
])("large rows make row groups that fit into memory: %s", async (_, count, length) => {
  await using dir = await tempDir();
  const rows = Array.from({ length: count * 3 }, (_, id) => ({ id, text: String(id).padStart(length, "x") }));
  const parquet = await collect(duckdbParquet(dir.path).encode(jsonl(rows), schema));
  const groups =
    "SELECT max(row_group_num_rows)::INTEGER AS largest FROM parquet_metadata(FILE) WHERE column_id = 0";
  const [{ largest }] = (await read(dir.path, parquet, groups)) as [{ largest: number }];
  expect(largest * length).toBeLessThan(48 * 1024 * 1024);
  const order =
    "SELECT count(*)::INTEGER AS n FROM (SELECT id, file_row_number AS place FROM FILE_AT) WHERE id = place";
  const sql = order.replace("FILE_AT", "read_parquet(FILE, file_row_number = true)");
  expect(await read(dir.path, parquet, sql)).toEqual([{ n: count * 3 }]);
});

test("a line that does not fit the schema is an error, and no temporary file stays", async () => {
  await using dir = await tempDir();
  const encoder = duckdbParquet(dir.path);
  await expect(collect(encoder.encode(jsonl([{ id: "not a number" }]), schema))).rejects.toMatchObject({
    code: "invalid-input",
  });
  await collect(encoder.encode(jsonl([{ id: 1 }]), schema));
  for await (const _ of encoder.encode(jsonl([{ id: 1 }]), schema)) break;
  expect(readdirSync(join(dir.path, "parquet"))).toEqual([]);
});

test("a file carries the key-value text that it is given, and small integers stay small", async () => {
  await using dir = await tempDir();
  const encoded = duckdbParquet(dir.path).encode(
    jsonl([{ n: 2 }]),
    { n: "SMALLINT" },
    { "it's": "a 'value'" },
  );
  const parquet = await collect(encoded);
  const types = await read(dir.path, parquet, "SELECT column_type FROM (DESCRIBE FROM FILE)");
  expect(types).toEqual([{ column_type: "SMALLINT" }]);
  const pairs = "SELECT decode(key) AS key, decode(value) AS value FROM parquet_kv_metadata(FILE)";
  expect(await read(dir.path, parquet, pairs)).toEqual([{ key: "it's", value: "a 'value'" }]);
});
