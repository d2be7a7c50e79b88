import { isDeepStrictEqual } from "node:util";
import { zstdDecompressSync } from "node:zlib";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { unpackTar } from "modern-tar";

/** What a run left, free of times: its objects by key, and its rows by sort key. */
export interface Left {
  objects: Record<string, unknown>;
  rows: Record<string, unknown>;
}

interface Stores {
  objects: ObjectStore;
  records: RecordStore;
}

/** Rows that only a run in the cloud has: how its shards stand, and their sum. */
const cloudRows = /^(shard#|progress$)/;

/**
 * Objects that only a run in the cloud has: its rounds' lists and the folders that it was sent. Datasets are left
 * out: what they are made of is here, and their own bytes are compared by exporting again.
 */
const cloudObjects = /^runs\/[^/]+\/(rounds\/|plan\/folders)/;

/** Where a run's objects are; tasks and what comes with them are known by their content, and shared by runs. */
const placesOf = (runId: string) => [`runs/${runId}/`, "references/", "prepared/"];

export async function leftBy(runId: string, { objects, records }: Stores): Promise<Left> {
  const left: Left = { objects: {}, rows: {} };
  for (const key of await keysOf(runId, objects)) {
    left.objects[key] = await contentOf(key, await bytesOf(key, objects));
  }
  for await (const { sk, data } of records.query(`run#${runId}`)) {
    if (!cloudRows.test(sk)) left.rows[sk] = timeless(data);
  }
  left.rows.run = timeless((await records.get({ pk: "runs", sk: runId }))?.data);
  return left;
}

async function keysOf(runId: string, objects: ObjectStore): Promise<string[]> {
  const listed = await Promise.all(placesOf(runId).map((place) => Array.fromAsync(objects.list(place))));
  const keys = listed.flat().map(({ key }) => key);
  const planned = zstdDecompressSync(await bytesOf(objectKeys.runTasks(runId), objects)).toString();
  const tasks = linesOf(planned).map((task) => objectKeys.task((task as { hash: string }).hash));
  return [...keys.filter((key) => !cloudObjects.test(key)), ...tasks];
}

export async function bytesOf(key: string, objects: ObjectStore): Promise<Buffer> {
  const body = await objects.get(key);
  if (body === undefined) throw new Error(`no object ${key}`);
  return Buffer.concat(await Array.fromAsync(body));
}

/** JSON is compared by its values, a workspace by its files; everything else by its bytes. */
async function contentOf(key: string, bytes: Buffer): Promise<unknown> {
  if (key.endsWith("/artifacts.tar.zst")) return filesIn(bytes);
  if (key.endsWith(".jsonl.zst")) return linesOf(zstdDecompressSync(bytes).toString());
  if (key.endsWith(".json")) return timeless(JSON.parse(bytes.toString()));
  return bytes.toString(key.endsWith(".csv") ? "utf8" : "base64");
}

/** What an agent left behind; Python's caches of compiled modules are different bytes each time. */
async function filesIn(archive: Buffer): Promise<unknown[]> {
  const entries = await unpackTar(zstdDecompressSync(archive));
  return entries
    .filter(({ header }) => !header.name.includes("__pycache__"))
    .map(({ header: { name, mode, type }, data }) => ({ name, mode, type, data: String(data) }));
}

function linesOf(text: string): unknown[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => timeless(JSON.parse(line)));
}

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
/** A dataset's version follows from all that is in it, times included. */
const version = /\bver_[0-9a-f]{24}\b/;
const duration = /(Ms|_ms|[sS]econds)$/;

/** A value with its times and durations replaced by words, and what only says who worked on it left out. */
function timeless(value: unknown): unknown {
  if (typeof value === "string") return time.test(value) ? "a time" : value.replace(version, "ver");
  if (Array.isArray(value)) return value.map(timeless);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    typeof inner === "number" && duration.test(key) ? "a duration" : timeless(inner),
  ]);
  return Object.fromEntries(entries);
}

/** Names what differs, so that a failed comparison of hundreds of objects can be read. */
export function differences(left: Record<string, unknown>, right: Record<string, unknown>): string[] {
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].toSorted();
  return keys
    .filter((key) => !isDeepStrictEqual(left[key], right[key]))
    .map((key) => `${key}: ${shown(left[key])} | ${shown(right[key])}`);
}

function shown(value: unknown): string {
  return value === undefined ? "absent" : JSON.stringify(value).slice(0, 2_000);
}
