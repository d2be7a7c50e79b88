import { stringify } from "yaml";
import type { ColumnType } from "../ports/parquet.ts";
import { type DatasetFormat, datasetColumns } from "./columns.ts";
import type { DatasetManifest, RowCount } from "./manifest.ts";

const scalars = { VARCHAR: "string", BIGINT: "int64", DOUBLE: "float64", BOOLEAN: "bool" } as const;

/**
 * The dataset's README.md, of its manifest without the card itself: front matter that the Hugging Face hub and `datasets` read (one config a format),
 * then a summary for people.
 */
export function datasetCard(content: DatasetManifest): string {
  const front = {
    pretty_name: content.name,
    tags: ["tracemill", "agent-traces"],
    dataset_info: loadable(content).map((format) => datasetInfo(format, content)),
    configs: loadable(content).map((format, index) => config(format, content, index === 0)),
  };
  return `---\n${stringify(front)}---\n\n${body(content)}`;
}

function formatsOf({ counts }: DatasetManifest): DatasetFormat[] {
  return Object.keys(counts) as DatasetFormat[];
}

/** Splits with rows: `datasets` cannot load a config that names an empty one. */
function filledSplits(format: DatasetFormat, { counts }: DatasetManifest): [string, RowCount][] {
  return Object.entries(counts[format] ?? {}).filter(([, { rows }]) => rows > 0);
}

function loadable(content: DatasetManifest): DatasetFormat[] {
  return formatsOf(content).filter((format) => filledSplits(format, content).length > 0);
}

function datasetInfo(format: DatasetFormat, content: DatasetManifest): Record<string, unknown> {
  const splits = filledSplits(format, content).map(([name, { rows, bytes }]) => ({
    name,
    num_bytes: bytes,
    num_examples: rows,
  }));
  const parquet = content.files.filter(({ path }) => path.startsWith(`data/${format}/`));
  return {
    config_name: format,
    features: Object.entries(datasetColumns[format]).map(([name, type]) => ({ name, ...feature(type) })),
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

function config(
  format: DatasetFormat,
  content: DatasetManifest,
  isDefault: boolean,
): Record<string, unknown> {
  return {
    config_name: format,
    ...(isDefault ? { default: true } : {}),
    data_files: filledSplits(format, content).map(([split]) => ({
      split,
      path: `data/${format}/${split}-*`,
    })),
  };
}

function body(content: DatasetManifest): string {
  const { lineage, leakCheck, leftOut } = content;
  return [
    `# ${content.name}`,
    `Agent trajectories and their verified results, exported by Tracemill from run \`${content.runId}\` as version \`${content.version}\`.`,
    "## Rows",
    table(["format", "split", "rows"], rowCounts(content)),
    "## Results",
    `${lineage.trials} ended trials of ${lineage.tasks} tasks. A trial without a reward (its environment, its model or its verifier failed) is not a zero and is in no mean.`,
    table(["agent", "model", "trials", "with reward", "mean reward", "outcomes"], agentRows(content)),
    "## What was left out",
    list([
      `${leftOut.notEnded} trials that had not ended`,
      ...Object.entries(leftOut.formats).flatMap(([format, reasons]) =>
        Object.entries(reasons ?? {}).map(([reason, count]) => `${format}: ${count} by \`${reason}\``),
      ),
    ]),
    "## Where it comes from",
    list([
      ...lineage.snapshots.map(
        ({ source, snapshotId, trials }) => `snapshot \`${snapshotId}\` of \`${source}\`: ${trials} trials`,
      ),
      ...(lineage.folderTrials === 0 ? [] : [`task folders: ${lineage.folderTrials} trials`]),
      "`lineage.jsonl` names for each row its trial, attempt, task hash and origin; `manifest.json` the hash of each file",
    ]),
    `Splits are by group: ${leakCheck.groups} groups, ${leakCheck.groupsInSeveralSplits} in more than one split.`,
    "## Load it",
    usage(content),
  ]
    .join("\n\n")
    .concat("\n");
}

function rowCounts(content: DatasetManifest): string[][] {
  return formatsOf(content).flatMap((format) =>
    Object.entries(content.counts[format] ?? {}).map(([split, { rows }]) => [format, split, String(rows)]),
  );
}

function agentRows({ agents }: DatasetManifest): string[][] {
  return agents.map(({ agent, model = "–", trials, rewarded, meanReward, outcomes }) => [
    agent,
    model,
    String(trials),
    String(rewarded),
    meanReward === undefined ? "–" : meanReward.toFixed(3),
    Object.entries(outcomes)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", "),
  ]);
}

function usage(content: DatasetManifest): string {
  const [format = "trials"] = loadable(content);
  const [[split] = ["train"]] = filledSplits(format, content);
  return [
    "```python",
    "from datasets import load_dataset",
    "",
    `rows = load_dataset("path/to/this/folder", "${format}", split="${split}")`,
    "```",
  ].join("\n");
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join("\n");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Names come from specs and tasks: a pipe or a line end must not break the table. */
function cell(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|");
}
