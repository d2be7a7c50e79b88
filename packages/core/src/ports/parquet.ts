/** Column types, as DuckDB and Arrow name them. */
export type ColumnType =
  | "VARCHAR"
  | "SMALLINT"
  | "BIGINT"
  | "DOUBLE"
  | "BOOLEAN"
  | { list: ColumnType }
  | { struct: Record<string, ColumnType> };

export type ParquetSchema = Record<string, ColumnType>;

/** Turns JSON lines into one Parquet file (zstd). The same input gives the same bytes. */
export interface ParquetEncoder {
  /** @param metadata key-value text of the file. */
  encode(
    jsonl: AsyncIterable<Uint8Array>,
    schema: ParquetSchema,
    metadata?: Readonly<Record<string, string>>,
  ): AsyncIterable<Uint8Array>;
}
