import { createReadStream, mkdirSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type { ColumnType, ParquetEncoder, ParquetSchema } from "@tracemill/core/ports/parquet.ts";
import { diskError, onDisk, onDiskAsync } from "./disk.ts";
import { cleanLeftovers, tempName } from "./disk-temp.ts";
import { DiskWriter } from "./disk-writer.ts";

/** JSON bytes in a row group: what a reader holds at once. DuckDB's default of 122,880 rows fits small rows only. */
const rowGroupBytes = 32 * 1024 * 1024;

/** DuckDB's vector size: several threads hold at least so many rows each. */
const vectorRows = 2_048;
const maxRowGroupRows = 122_880;

/** The longest line that DuckDB is told of at least; it reads in pieces of twice that. */
const smallestMaxLine = 1024 * 1024;

/** DuckDB's own default is 80 % of the machine, which a sandbox running beside it may need. Lines come on top. */
const memoryBytes = 256 * 1024 * 1024;

/** A line that DuckDB works on is in memory some ten times: in two read buffers, parsed, and as columns. */
const memoryPerLine = 12;

/**
 * Parquet by DuckDB, with temporary files in `scratchDir`. The same input gives the same bytes, on any machine:
 * see `planOf`. Nothing is downloaded. Keys that the schema lacks are left out, and keys that a line
 * lacks are null.
 * @throws TracemillError `storage-full`, `storage-failed`, `invalid-input` (a line does not fit the schema).
 */
export function duckdbParquet(scratchDir: string): ParquetEncoder {
  const folder = join(resolve(scratchDir), "parquet");
  cleanLeftovers(folder);
  return {
    async *encode(jsonl, schema, metadata = {}) {
      const base = join(folder, tempName());
      const files: TempFiles = { rows: `${base}.jsonl`, parquet: `${base}.parquet`, spill: `${base}.spill` };
      try {
        const shape = await spool(jsonl, files.rows);
        const plan = planOf(shape);
        await convert(files, copyStatement(files, schema, metadata, plan), plan);
        yield* readAll(files.parquet);
      } finally {
        for (const path of Object.values(files)) await rm(path, { recursive: true, force: true });
      }
    },
  };
}

interface TempFiles {
  rows: string;
  parquet: string;
  /** Where DuckDB puts what exceeds its memory. */
  spill: string;
}

interface Shape {
  rows: number;
  bytes: number;
  longestLine: number;
}

/** Writes the lines to a file that DuckDB can read, and measures them. */
async function spool(jsonl: AsyncIterable<Uint8Array>, path: string): Promise<Shape> {
  onDisk(path, () => mkdirSync(join(path, ".."), { recursive: true }));
  await using handle = await onDiskAsync(path, () => open(path, "wx"));
  const writer = new DiskWriter(handle, path);
  const shape: Shape = { rows: 0, bytes: 0, longestLine: 0 };
  let lineStart = 0;
  for await (const chunk of jsonl) {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) {
      const lineEnd = shape.bytes + at;
      shape.longestLine = Math.max(shape.longestLine, lineEnd - lineStart);
      shape.rows += 1;
      lineStart = lineEnd + 1;
    }
    shape.bytes += chunk.byteLength;
    await writer.write(chunk);
  }
  shape.longestLine = Math.max(shape.longestLine, shape.bytes - lineStart);
  await writer.flush();
  return shape;
}

/** How DuckDB is to work. It depends on the input alone, since it shows in the bytes. */
interface Plan {
  threads: 1 | 2;
  rowGroupRows: number;
  maxLine: number;
  memoryBytes: number;
}

/**
 * Two threads for small rows: each read buffer becomes a row group or a part of one, so that any number of threads
 * above one gives the same bytes (tried with 2 to 4, and with a quarter to all of the memory). They hold whole
 * vectors of rows, which large rows have no memory for: those go through one thread, which ends a row group at
 * the first piece of input that fills it.
 */
function planOf({ rows, bytes, longestLine }: Shape): Plan {
  const wanted = bytes === 0 ? maxRowGroupRows : Math.floor((rows * rowGroupBytes) / bytes);
  const areSmall = wanted >= vectorRows && longestLine <= smallestMaxLine;
  const whole = Math.floor(wanted / vectorRows) * vectorRows;
  return {
    threads: areSmall ? 2 : 1,
    rowGroupRows: Math.min(areSmall ? whole : Math.max(1, wanted), maxRowGroupRows),
    maxLine: Math.max(smallestMaxLine, longestLine) + 1_024,
    memoryBytes: memoryBytes + (areSmall ? 0 : memoryPerLine * longestLine),
  };
}

async function convert(files: TempFiles, statement: string, plan: Plan): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(plan.threads),
    preserve_insertion_order: "true",
    memory_limit: `${Math.ceil(plan.memoryBytes / 1_024)}KiB`,
    temp_directory: files.spill,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  try {
    const connection = await instance.connect();
    try {
      await connection.run(statement);
    } finally {
      connection.closeSync();
    }
  } catch (error) {
    throw duckdbError(error, files.parquet);
  } finally {
    instance.closeSync();
  }
}

function copyStatement(
  files: TempFiles,
  schema: ParquetSchema,
  metadata: Readonly<Record<string, string>>,
  { rowGroupRows, maxLine }: Plan,
): string {
  const columns = Object.entries(schema).map(([name, type]) => `${text(name)}: ${text(sqlType(type))}`);
  const source = [
    text(files.rows),
    "format = 'newline_delimited'",
    `columns = {${columns.join(", ")}}`,
    `maximum_object_size = ${maxLine}`,
  ];
  const pairs = Object.entries(metadata).map(([key, value]) => `${text(key)}: ${text(value)}`);
  const options = [
    "FORMAT parquet",
    "COMPRESSION zstd",
    // A quarter less time than DuckDB's own 3, for files that are 5 % larger.
    "COMPRESSION_LEVEL 1",
    `ROW_GROUP_SIZE ${rowGroupRows}`,
    ...(pairs.length === 0 ? [] : [`KV_METADATA {${pairs.join(", ")}}`]),
  ];
  const names = Object.keys(schema).map(identifier).join(", ");
  return `COPY (SELECT ${names} FROM read_json(${source.join(", ")})) TO ${text(files.parquet)} (${options.join(", ")})`;
}

function sqlType(type: ColumnType): string {
  if (typeof type === "string") return type;
  if ("list" in type) return `${sqlType(type.list)}[]`;
  const fields = Object.entries(type.struct).map(([name, inner]) => `${identifier(name)} ${sqlType(inner)}`);
  return `STRUCT(${fields.join(", ")})`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

async function* readAll(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 256 * 1024 });
  } catch (error) {
    throw diskError(error, path);
  }
}

function duckdbError(error: unknown, path: string): TracemillError {
  const message = messageOf(error);
  if (/no space left|disk quota|not enough (disk )?space|max_temp_directory_size/i.test(message)) {
    return new TracemillError(
      "storage-full",
      `${path}: the disk is full; free some space, then run the same command again`,
      { cause: error },
    );
  }
  if (/^(Invalid Input|Conversion) Error/.test(message)) {
    const [firstLine] = message.split("\n");
    return new TracemillError("invalid-input", `rows for Parquet: ${firstLine}`, { cause: error });
  }
  return new TracemillError("storage-failed", `${path}: Parquet was not written: ${message}`, {
    cause: error,
  });
}
