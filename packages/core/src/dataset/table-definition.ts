import type { ParquetSchema } from "../ports/parquet.ts";

/** JSON bytes that go into one Parquet file where nothing else is asked for. */
export const defaultShardBytes = 256 * 1024 * 1024;

/** One table of a dataset: what a row is, in both kinds of files. */
export interface TableDefinition {
  /** Folder below `data/` and `jsonl/`, and the config that `datasets` loads. */
  name: string;
  /** The same in every Parquet file of the table, so that no two files disagree on a type. */
  columns: ParquetSchema;
  /** Columns that are JSON text in Parquet and plain JSON in JSONL; where null, JSONL leaves them out. */
  jsonColumns?: readonly string[];
  /** Text that goes with every Parquet file, for readers that look for it. */
  parquetMetadata?: Readonly<Record<string, string>>;
  /** A column that the writer fills: the number of the row's unit (see `TableRow.joinsPrevious`) in its file. */
  unitColumn?: string;
  /** Makes the JSONL file of the rows' lines (as `rowLine` wrote them), where it is not one row a line. */
  jsonl?: (lines: AsyncIterable<string>) => AsyncIterable<string>;
}
