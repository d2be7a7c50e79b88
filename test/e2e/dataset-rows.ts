import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { datasetOf, type UserMachine } from "./tracemill.ts";

/** A message as it stands in a row for fine-tuning, where what a message has not is null. */
export interface RowMessage {
  role: string;
  content: string;
  tool_calls: { function: { name: string; arguments: string } }[] | null;
}

/** The rows for fine-tuning of a run's dataset, by their row ids. */
export async function sftRows(machine: UserMachine): Promise<{ row_id: string; messages: RowMessage[] }[]> {
  const { dir, manifest } = await datasetOf(machine);
  const files = manifest.files.filter(({ path }) => path.endsWith(".jsonl") && !path.includes("lineage"));
  const texts = await Promise.all(files.map(({ path }) => readFile(join(dir, path), "utf8")));
  return texts
    .flatMap((text) => text.trim().split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .toSorted((a, b) => a.row_id.localeCompare(b.row_id));
}
