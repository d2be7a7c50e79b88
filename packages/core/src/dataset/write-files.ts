import type { ObjectStore } from "../ports/object-store.ts";
import type { ParquetEncoder } from "../ports/parquet.ts";
import { lines } from "../streams.ts";
import { throwIfCancelled } from "./collect-trials.ts";
import { jsonlLine } from "./json-row.ts";
import { ByteSource, type RowSpool, type Spools } from "./spool.ts";
import { storeFile } from "./store-file.ts";
import type { TableDefinition } from "./table-definition.ts";
import type { DatasetFile } from "./tables-manifest.ts";

interface WriteDeps {
  objects: ObjectStore;
  parquet: ParquetEncoder;
  signal?: AbortSignal;
}

/**
 * Writes every file of rows under `prefix`, in a fixed order. Files that an interrupted export left there
 * are kept and described, since the same version means the same content.
 */
export async function writeFiles(prefix: string, spools: Spools, deps: WriteDeps): Promise<DatasetFile[]> {
  const files: DatasetFile[] = [];
  for (const spool of spools.all) {
    files.push(...(await writeShards(prefix, spool, deps)));
    files.push(await writeJsonl(prefix, spool, deps));
  }
  const { sha256, bytes } = await storeFile(`${prefix}lineage.jsonl`, spools.lineage.read(), deps.objects);
  return [...files, { path: "lineage.jsonl", sha256, bytes }];
}

async function writeShards(prefix: string, spool: RowSpool, deps: WriteDeps): Promise<DatasetFile[]> {
  const { table, split, shards } = spool;
  const source = new ByteSource(spool.file.read());
  const files: DatasetFile[] = [];
  for (const [index, shard] of shards.entries()) {
    throwIfCancelled(deps.signal);
    const path = `data/${table.name}/${split}-${digits(index)}-of-${digits(shards.length)}.parquet`;
    const parquet = deps.parquet.encode(source.take(shard.bytes), table.columns, table.parquetMetadata);
    const { wasThere, sha256, bytes } = await storeFile(`${prefix}${path}`, parquet, deps.objects);
    if (wasThere) await source.skip(shard.bytes);
    files.push({ path, sha256, bytes, rows: shard.rows });
  }
  return files;
}

async function writeJsonl(prefix: string, spool: RowSpool, deps: WriteDeps): Promise<DatasetFile> {
  throwIfCancelled(deps.signal);
  const { table, split } = spool;
  const path = `jsonl/${table.name}/${split}.jsonl`;
  const body = async function* () {
    for await (const text of jsonlOf(table, lines(spool.file.read()))) yield Buffer.from(text);
  };
  const { sha256, bytes } = await storeFile(`${prefix}${path}`, body(), deps.objects);
  return { path, sha256, bytes, rows: spool.rows };
}

/** The text of a JSONL file, in pieces. */
async function* jsonlOf(
  { jsonl, jsonColumns = [] }: TableDefinition,
  rows: AsyncIterable<string>,
): AsyncGenerator<string> {
  if (jsonl !== undefined) yield* jsonl(rows);
  else for await (const line of rows) yield jsonlLine(jsonColumns, line);
}

function digits(index: number): string {
  return String(index).padStart(5, "0");
}
