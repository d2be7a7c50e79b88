export type Row = Record<string, unknown>;

/** JSON.stringify writes half a surrogate pair as an escape, and Parquet readers refuse such text. */
const maybeHalfPair = /\\ud[89a-f]/;

/** One line of the spool and of Parquet's input. Half surrogate pairs become U+FFFD. */
export function rowLine(row: Row): string {
  const text = JSON.stringify(row);
  return maybeHalfPair.test(text) ? JSON.stringify(row, wellFormed) : text;
}

function wellFormed(_: string, value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}

/**
 * A spooled line as a line of the JSONL file: tools and other JSON text as plain JSON, and keys without a
 * value left out below the first level, so that trainers that know the OpenAI form read it as it is.
 */
export function jsonlLine(jsonColumns: readonly string[], line: string): string {
  const row = JSON.parse(line) as Row;
  const entries = Object.entries(row).flatMap(([column, value]): [string, unknown][] => {
    if (!jsonColumns.includes(column)) return [[column, withoutNulls(value)]];
    return typeof value === "string" ? [[column, JSON.parse(value)]] : [];
  });
  return `${JSON.stringify(Object.fromEntries(entries))}\n`;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === null ? [] : [[key, withoutNulls(inner)]])),
  );
}
