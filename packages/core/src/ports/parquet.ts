/** Column types, as DuckDB and Arrow name them. */
export type ColumnType =
  | "VARCHAR"
  | "BIGINT"
  | "DOUBLE"
  | "BOOLEAN"
  | { list: ColumnType }
  | { struct: Record<string, ColumnType> };

export type ParquetSchema = Record<string, ColumnType>;

/** Turns JSON lines into one Parquet file (zstd). The same input gives the same bytes. */
export interface ParquetEncoder {
  encode(jsonl: AsyncIterable<Uint8Array>, schema: ParquetSchema): AsyncIterable<Uint8Array>;
}
