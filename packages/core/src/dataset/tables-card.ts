import { stringify } from "yaml";
import type { ColumnType } from "../ports/parquet.ts";
import type { TableDefinition } from "./table-definition.ts";
import type { RowCount, TablesManifest } from "./tables-manifest.ts";

const scalars = {
  VARCHAR: "string",
  SMALLINT: "int16",
  BIGINT: "int64",
  DOUBLE: "float64",
  BOOLEAN: "bool",
} as const;

export interface CardRequest {
  /** The manifest without the card itself. */
  manifest: TablesManifest;
  /** Those of the manifest's `counts`. */
  tables: readonly TableDefinition[];
  /** What the dataset is and where it comes from, in a sentence or two. */
  intro: string;
  /** Markdown between the counts of rows and how to load them. */
  sections: readonly string[];
  /** What the dataset calls a table. Default `table`. */
  tableWord?: string;
}

/**
 * A dataset's README.md: front matter that the Hugging Face hub and `datasets` read (one config a table), then
 * a summary for people.
 */
export function tablesCard(request: CardRequest): string {
  const { manifest, tables } = request;
  const filled = tables.filter(({ name }) => filledSplits(name, manifest).length > 0);
  const front = {
    pretty_name: manifest.name,
    tags: ["tracemill", "agent-traces"],
    dataset_info: filled.map((table) => datasetInfo(table, manifest)),
    configs: filled.map(({ name }, index) => config(name, manifest, index === 0)),
  };
  return `---\n${stringify(front)}---\n\n${body(request, filled)}`;
}

/** Splits with rows: `datasets` cannot load a config that names an empty one. */
function filledSplits(table: string, { counts }: TablesManifest): [string, RowCount][] {
  return Object.entries(counts[table] ?? {}).filter(([, { rows }]) => rows > 0);
}

function datasetInfo({ name, columns }: TableDefinition, manifest: TablesManifest): Record<string, unknown> {
  const splits = filledSplits(name, manifest).map(([split, { rows, bytes }]) => ({
    name: split,
    num_bytes: bytes,
    num_examples: rows,
  }));
  const parquet = manifest.files.filter(({ path }) => path.startsWith(`data/${name}/`));
  return {
    config_name: name,
    features: Object.entries(columns).map(([column, type]) => ({ name: column, ...feature(type) })),
    splits,
    download_size: parquet.reduce((sum, { bytes }) => sum + bytes, 0),
    dataset_size: splits.reduce((sum, { num_bytes: bytes }) => sum + bytes, 0),
  };
}

/** A column in the notation of `dataset_info`: `dtype`, `list` or `struct`. */
function feature(type: ColumnType): Record<string, unknown> {
  if (typeof type === "string") return { dtype: scalars[type] };
  if ("struct" in type) return { struct: fields(type.struct) };
  const { list } = type;
  if (typeof list === "string") return { list: scalars[list] };
  return { list: "struct" in list ? fields(list.struct) : feature(list) };
}

function fields(struct: Record<string, ColumnType>): Record<string, unknown>[] {
  return Object.entries(struct).map(([name, type]) => ({ name, ...feature(type) }));
}

function config(table: string, manifest: TablesManifest, isDefault: boolean): Record<string, unknown> {
  return {
    config_name: table,
    ...(isDefault ? { default: true } : {}),
    data_files: filledSplits(table, manifest).map(([split]) => ({
      split,
      path: `data/${table}/${split}-*`,
    })),
  };
}

function body(request: CardRequest, filled: readonly TableDefinition[]): string {
  const { manifest, intro, sections, tableWord = "table" } = request;
  return [
    `# ${manifest.name}`,
    intro,
    "## Rows",
    markdownTable([tableWord, "split", "rows"], rowCounts(manifest)),
    ...sections,
    "## Load it",
    usage(filled[0]?.name ?? request.tables.at(-1)?.name ?? "", manifest),
  ]
    .join("\n\n")
    .concat("\n");
}

function rowCounts({ counts }: TablesManifest): string[][] {
  return Object.entries(counts).flatMap(([table, splits]) =>
    Object.entries(splits ?? {}).map(([split, { rows }]) => [table, split, String(rows)]),
  );
}

function usage(table: string, manifest: TablesManifest): string {
  const [[split] = ["train"]] = filledSplits(table, manifest);
  return [
    "```python",
    "from datasets import load_dataset",
    "",
    `rows = load_dataset("path/to/this/folder", "${table}", split="${split}")`,
    "```",
  ].join("\n");
}

export function markdownList(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join("\n");
}

export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Names come from specs and tasks: a pipe or a line end must not break the table. */
function cell(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|");
}
