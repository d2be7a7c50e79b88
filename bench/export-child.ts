/** One measurement in a process of its own, so that its largest resident size is its own. */
import { createReadStream, createWriteStream } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { datasetTables } from "@tracemill/core/dataset/columns.ts";
import { exportDataset } from "@tracemill/core/dataset/export.ts";
import { type TableRow, type TablesDeps, writeTables } from "@tracemill/core/dataset/tables.ts";
import { tablesCard } from "@tracemill/core/dataset/tables-card.ts";
import { TablesManifest } from "@tracemill/core/dataset/tables-manifest.ts";
import { ExportSpec } from "@tracemill/core/run/export-spec.ts";
import { duckdbParquet } from "@tracemill/local/duckdb-parquet.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { tempScratch } from "@tracemill/local/scratch.ts";
import { sftRow } from "./trajectories.ts";

export type ChildTask =
  | { kind: "encode"; input: string; dir: string }
  | { kind: "tables"; rows: number; dir: string }
  | { kind: "export"; dir: string; formats: string[] };

export interface ChildReport {
  seconds: number;
  peakMiB: number;
  /** Of what was written. */
  bytes: number;
}

const task = JSON.parse(process.argv[2] ?? "{}") as ChildTask;
const startedAt = performance.now();
const bytes = await measured(task);
const seconds = (performance.now() - startedAt) / 1_000;
console.log(JSON.stringify({ seconds, peakMiB: await peakMiB(), bytes } satisfies ChildReport));

async function measured(given: ChildTask): Promise<number> {
  if (given.kind === "encode") return encode(given);
  return given.kind === "tables" ? writeRows(given) : exportRun(given);
}

async function encode({ input, dir }: { input: string; dir: string }): Promise<number> {
  const target = join(dir, "ours.parquet");
  const lines = createReadStream(input, { highWaterMark: 256 * 1024 });
  const parquet = duckdbParquet(dir).encode(lines, datasetTables.sft.columns);
  await pipeline(Readable.from(parquet), createWriteStream(target));
  const { size } = await stat(target);
  await rm(target);
  return size;
}

/** Rows as they come from their conversion, to JSONL and Parquet of the default size. */
async function writeRows({ rows, dir }: { rows: number; dir: string }): Promise<number> {
  const table = datasetTables.sft;
  async function* all(): AsyncGenerator<TableRow> {
    for (let index = 0; index < rows; index += 1) {
      const row = sftRow(index);
      yield { table: "sft", split: "train", row, lineage: { row_id: row.row_id } };
    }
  }
  const manifest = await writeTables(
    {
      name: "large",
      version: "ver_bench",
      tables: [table],
      splits: ["train"],
      rows: all(),
      manifest: {
        schema: TablesManifest,
        of: (written) => ({ schemaVersion: 1, name: "large", version: "ver_bench", ...written }),
      },
      card: (content) => tablesCard({ manifest: content, tables: [table], intro: "Rows.", sections: [] }),
    },
    stores(dir),
  );
  await rm(join(dir, "objects", "datasets"), { recursive: true });
  return manifest.files.reduce((sum, file) => sum + file.bytes, 0);
}

async function exportRun({ dir, formats }: { dir: string; formats: string[] }): Promise<number> {
  const records = openRecordStore(join(dir, "records.sqlite"));
  const manifest = await exportDataset(
    { runId: "run_FIXTURE", spec: ExportSpec.parse({ name: "bench", formats }), runSpec: { name: "bench" } },
    { ...stores(dir), records },
  );
  records.close();
  return manifest.files.reduce((sum, file) => sum + file.bytes, 0);
}

function stores(dir: string): TablesDeps {
  return {
    objects: openObjectStore(join(dir, "objects")),
    scratch: tempScratch(join(dir, "tmp")),
    parquet: duckdbParquet(join(dir, "tmp")),
  };
}

/** Linux counts it for the program alone; elsewhere what the process says. */
async function peakMiB(): Promise<number> {
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB/m.exec(status) ?? [];
  return (kilobytes === undefined ? process.resourceUsage().maxRSS : Number(kilobytes)) / 1_024;
}
