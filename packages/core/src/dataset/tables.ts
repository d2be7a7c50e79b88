import type * as z from "zod";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { ParquetEncoder } from "../ports/parquet.ts";
import type { Scratch } from "../ports/scratch.ts";
import { findStored } from "../stored-json.ts";
import { throwIfCancelled } from "./collect-trials.ts";
import type { Row } from "./json-row.ts";
import { openSpools, type RowSpool, type Spools } from "./spool.ts";
import { storeFile } from "./store-file.ts";
import type { TableDefinition } from "./table-definition.ts";
import type { DatasetFile, RowCount, TablesManifest } from "./tables-manifest.ts";
import { writeFiles } from "./write-files.ts";

export interface TableRow {
  /** A table and a split of the request. */
  table: string;
  split: string;
  row: Row;
  /** Its line of `lineage.jsonl`: names table, split and row, and where the row came from. */
  lineage: object;
  /** The row is of one unit with the row before it of its table and split: both are in one Parquet file. */
  joinsPrevious?: boolean;
}

/** What was written, for the manifest. */
export interface WrittenTables {
  counts: Record<string, Record<string, RowCount>>;
  files: DatasetFile[];
}

export interface TablesRequest<M extends TablesManifest> {
  name: string;
  /** Content id of everything that decides the rows and the manifest. */
  version: string;
  tables: readonly TableDefinition[];
  splits: readonly string[];
  /** Default `defaultShardBytes`. */
  shardBytes?: number;
  /** In the order of the files; read once, and not at all when the dataset is there. */
  rows: AsyncIterable<TableRow>;
  manifest: {
    schema: z.ZodType<M>;
    /** Called once the last row is written. `files` lacks the card, which is made of this manifest. */
    of: (written: WrittenTables) => M;
  };
  /** README.md: `tablesCard` makes it. */
  card: (manifest: M) => string;
}

export interface TablesDeps {
  objects: ObjectStore;
  scratch: Scratch;
  parquet: ParquetEncoder;
  signal?: AbortSignal;
}

/**
 * Writes tables as a dataset: `datasets/<name>/<version>/` with Parquet and JSONL by table and split,
 * `lineage.jsonl`, the card, and the manifest last. Rows wait in scratch files, so that memory does not grow with
 * them. Every file is written only where it is missing: a call that was killed is finished by the same call to
 * the same bytes, and a finished dataset is answered with its manifest alone.
 * @throws TracemillError `cancelled`, `storage-full`, `storage-corrupt` (a manifest that does not parse), and
 * what reading the rows throws.
 */
export async function writeTables<M extends TablesManifest>(
  request: TablesRequest<M>,
  deps: TablesDeps,
): Promise<M> {
  const finished = await readFinished(request, deps.objects);
  if (finished !== undefined) return finished;
  await using spools = await openSpools(request, deps.scratch);
  for await (const row of request.rows) {
    throwIfCancelled(deps.signal);
    await addRow(row, spools);
  }
  const prefix = objectKeys.dataset(request.name, request.version);
  const files = await writeFiles(prefix, spools, deps);
  const manifest = request.manifest.of({ counts: countsOf(spools.all), files });
  return writeManifest(prefix, manifest, request, deps.objects);
}

async function readFinished<M extends TablesManifest>(
  { name, version, manifest }: TablesRequest<M>,
  objects: Pick<ObjectStore, "get">,
): Promise<M | undefined> {
  return findStored(objects, `${objectKeys.dataset(name, version)}manifest.json`, manifest.schema);
}

async function addRow(
  { table, split, row, lineage, joinsPrevious }: TableRow,
  spools: Spools,
): Promise<void> {
  await spools.of(table, split).write(row, joinsPrevious);
  await spools.lineage.write(`${JSON.stringify(lineage)}\n`);
}

function countsOf(spools: readonly RowSpool[]): WrittenTables["counts"] {
  const counts: WrittenTables["counts"] = {};
  for (const { table, split, rows, file } of spools) {
    counts[table.name] = { ...counts[table.name], [split]: { rows, bytes: file.size } };
  }
  return counts;
}

/** Writes the card, then the manifest that names it. Of two calls at once the first manifest stands. */
async function writeManifest<M extends TablesManifest>(
  prefix: string,
  manifest: M,
  request: TablesRequest<M>,
  objects: ObjectStore,
): Promise<M> {
  const card = await storeFile(`${prefix}README.md`, oneChunk(request.card(manifest)), objects);
  const { sha256, bytes } = card;
  const whole = { ...manifest, files: [...manifest.files, { path: "README.md", sha256, bytes }] };
  const body = Buffer.from(`${JSON.stringify(whole, undefined, 2)}\n`);
  const { created } = await objects.putIfAbsent(`${prefix}manifest.json`, body);
  const standing = created ? undefined : await readFinished(request, objects);
  return standing ?? whole;
}

async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
