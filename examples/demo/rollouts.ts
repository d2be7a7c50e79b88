import { open, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { sha256Hex } from "@tracemill/core/ids.ts";
import type { Catalog } from "./catalog.ts";

type Json = Record<string, unknown>;

/** A line of a file, by its bytes, so that a folder of any size is served without being held in memory. */
interface Line {
  id: string;
  file: string;
  start: number;
  length: number;
}

/**
 * Recorded rollouts (`*.jsonl`; a line holds `responses_create_params`, `response` and mostly `reward`) as
 * tasks with one evaluated solution each. A line that cannot be read is served with what there is of it.
 */
export async function rolloutCatalog(dir: string): Promise<Catalog> {
  const names = (await readdir(dir)).filter((name) => name.endsWith(".jsonl")).toSorted();
  const lines = (await Promise.all(names.map((name) => linesOf(join(dir, name))))).flat();
  const byId = new Map(lines.map((line) => [line.id, line]));
  return {
    entries: lines.map(({ id }) => ({ id, status: "done" })),
    async task(id) {
      const line = byId.get(id);
      return line && taskOf(id, await readRow(line));
    },
    async solutions(id) {
      const line = byId.get(id);
      return line && [solutionOf(id, await readRow(line))];
    },
  };
}

async function linesOf(file: string): Promise<Line[]> {
  const lines: Line[] = [];
  const stem = basename(file, ".jsonl");
  let [position, start] = [0, 0];
  const add = (end: number): void => {
    if (end > start) lines.push({ id: `${stem}-${lines.length}`, file, start, length: end - start });
    start = end + 1;
  };
  await using handle = await open(file);
  for await (const chunk of handle.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) add(position + at);
    position += chunk.length;
  }
  add(position);
  return lines;
}

async function readRow({ file, start, length }: Line): Promise<Json> {
  await using handle = await open(file);
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, start);
  const text = buffer.toString("utf8");
  try {
    return fields(JSON.parse(text)) ?? { unreadable: text.slice(0, 2_000) };
  } catch {
    return { unreadable: text.slice(0, 2_000) };
  }
}

function taskOf(id: string, row: Json): Json {
  const request = fields(row.responses_create_params);
  const metadata = fields(request?.metadata);
  const answer = expectedAnswer([row, fields(row.response), request, metadata]);
  return {
    id,
    status: "done",
    kind: usesTools(row) ? "tool" : "qa",
    prompt: promptOf(request, metadata) ?? null,
    // Rollouts of one problem belong together, whichever file they are in.
    group: `problem-${sha256Hex(JSON.stringify([request?.instructions, request?.input, metadata])).slice(0, 12)}`,
    ...(request === undefined ? {} : { responses_create_params: request }),
    ...(answer === undefined ? {} : { expected_answer: answer }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(row.unreadable === undefined ? {} : { unreadable: row.unreadable }),
  };
}

function solutionOf(taskId: string, row: Json): Json {
  const response = fields(row.response);
  const { reward } = row;
  const evaluation =
    typeof reward === "number" ? { status: statusOf(reward), score: reward } : { status: "pending" };
  const model = response?.model ?? fields(row.responses_create_params)?.model;
  const agent = fields(row.agent_ref)?.name;
  return {
    id: `${taskId}-solution`,
    task_id: taskId,
    ...(typeof agent === "string" ? { agent } : {}),
    ...(typeof model === "string" ? { model } : {}),
    ...(response === undefined ? {} : { response }),
    evaluation,
    metadata: shortFields(row),
  };
}

function statusOf(reward: number): string {
  if (reward >= 1) return "passed";
  return reward > 0 ? "partial" : "failed";
}

function usesTools(row: Json): boolean {
  const tools = fields(row.responses_create_params)?.tools;
  if (Array.isArray(tools) && tools.length > 0) return true;
  const output = fields(row.response)?.output;
  return Array.isArray(output) && output.some((item) => String(fields(item)?.type ?? "").endsWith("_call"));
}

/** What the user asked first: the request's first user message, else the problem that its metadata states. */
function promptOf(request: Json | undefined, metadata: Json | undefined): string | undefined {
  const input = request?.input;
  const asked = Array.isArray(input) ? input.map(fields).find((item) => item?.role === "user") : undefined;
  const texts = [typeof input === "string" ? input : textOf(asked?.content), metadata?.problem_statement];
  return texts.find((text): text is string => typeof text === "string" && text.trim() !== "");
}

function textOf(content: unknown): unknown {
  return Array.isArray(content) ? content.map((part) => fields(part)?.text ?? "").join("\n") : content;
}

function expectedAnswer(places: readonly (Json | undefined)[]): string | number | undefined {
  const found = places.map((place) => place?.expected_answer).find((answer) => answer != null);
  if (found === undefined || typeof found === "string" || typeof found === "number") return found;
  return JSON.stringify(found);
}

/** The row's own plain fields; long texts and nested ones stay with the file. */
function shortFields(row: Json): Json {
  const isShort = (value: unknown) =>
    typeof value === "boolean" ||
    typeof value === "number" ||
    (typeof value === "string" && value.length <= 500);
  return Object.fromEntries(Object.entries(row).filter(([key, value]) => key !== "reward" && isShort(value)));
}

function fields(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}
