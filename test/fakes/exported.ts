import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { type ExportDeps, exportDataset } from "@tracemill/core/dataset/export.ts";
import type { DatasetManifest } from "@tracemill/core/dataset/manifest.ts";
import { sha256Hex } from "@tracemill/core/ids.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { ExportSpec } from "@tracemill/core/run/export-spec.ts";
import { collect } from "@tracemill/core/streams.ts";
import { duckdbParquet } from "@tracemill/local/duckdb-parquet.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { gather } from "./gather.ts";
import { memoryRecordStore, memoryScratch } from "./memory-stores.ts";
import { type RunFixture, writeRun } from "./run-fixture.ts";

export const splits = { train: 0.6, val: 0.2, test: 0.2 };
export const allFormats = { name: "forms", formats: ["sft", "harbor", "trials"], splits, seed: 7 };

/** Stores below `dir` that hold a finished run; the objects are files in `dir/objects`. */
export async function storesWith(
  dir: string,
  fixture: RunFixture,
): Promise<ExportDeps & { records: MemoryRecords }> {
  const objects = openObjectStore(join(dir, "objects"));
  const records = memoryRecordStore();
  await writeRun(fixture, { objects, records });
  return { objects, records, scratch: memoryScratch(), parquet: duckdbParquet(join(dir, "tmp")) };
}

type MemoryRecords = ReturnType<typeof memoryRecordStore>;

/** Exports the fixture's run; `options` are an export spec before defaults. */
export function exportRun(options: object, deps: ExportDeps): Promise<DatasetManifest> {
  return exportDataset(
    { runId: "run_FIXTURE", spec: ExportSpec.parse(options), runSpec: { name: "r" } },
    deps,
  );
}

/** A file of the dataset as text. */
export async function datasetText(
  objects: ObjectStore,
  manifest: DatasetManifest,
  path: string,
): Promise<string> {
  const body = await objects.get(`datasets/${manifest.name}/${manifest.version}/${path}`);
  if (body === undefined) throw new Error(`${path} is not there`);
  return (await collect(body)).toString("utf8");
}

/** The rows of a format over all its splits, from its JSONL files. */
export async function datasetRows(
  objects: ObjectStore,
  manifest: DatasetManifest,
  format: string,
): Promise<Record<string, unknown>[]> {
  const paths = Object.keys(manifest.export.splits).map((split) => `jsonl/${format}/${split}.jsonl`);
  const parts = await Promise.all(paths.map((path) => datasetText(objects, manifest, path)));
  return parts.flatMap((part) =>
    part
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  );
}

/** SHA-256 by key of every dataset file in the store. */
export async function datasetHashes(objects: ObjectStore): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const { key } of await gather(objects.list("datasets/"))) {
    const body = await objects.get(key);
    if (body !== undefined) hashes[key] = sha256Hex(await collect(body));
  }
  return hashes;
}

/** The rows that DuckDB answers a query with. */
export async function duckdb(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(sql);
  connection.closeSync();
  instance.closeSync();
  return reader.getRowObjectsJson();
}
