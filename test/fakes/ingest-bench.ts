import { readSnapshotRows, readTombstones, type SnapshotManifest } from "@tracemill/core/ingest/manifest.ts";
import type { IngestInput } from "@tracemill/core/ingest/options.ts";
import { type IngestDeps, ingestSnapshot } from "@tracemill/core/ingest/snapshot.ts";
import type { ProductionApi } from "../servers/production-api.ts";
import { testToken } from "../servers/production-client.ts";
import { fakeClock } from "./clock.ts";
import { memoryObjectStore, memoryRecordStore } from "./memory-stores.ts";

export interface SourceTask {
  id: string;
  status: string;
  prompt: string;
  updated_at?: string;
  solutions_count?: number;
  [field: string]: unknown;
}

export const long = "2025-06-01T00:00:00Z";
export const solution = (id: string, status = "passed") => ({ id, steps: [], evaluation: { status } });

/** A source of `count` tasks with one solution each; entries say when they changed and how many solutions there are. */
export function content(count: number) {
  const tasks = Array.from(
    { length: count },
    (_, index): SourceTask => ({
      id: `t${index}`,
      status: "done",
      prompt: "p",
      updated_at: long,
      solutions_count: 1,
    }),
  );
  return { tasks, solutions: Object.fromEntries(tasks.map(({ id }) => [id, [solution(`${id}-a`)]])) };
}

/** Stores in memory, and an ingest of `api` into them on a day of its own. */
export function ingestBench(api: ProductionApi) {
  const objects = memoryObjectStore();
  const records = memoryRecordStore();
  const clock = fakeClock();
  const ingest = async (options: Partial<IngestInput> = {}, deps: Partial<IngestDeps> = {}) => {
    clock.advance(86_400_000);
    api.requests.length = 0;
    const input = { baseUrl: api.url, taskPageSize: 10, ...options };
    return ingestSnapshot(input, {
      objects,
      records,
      clock,
      random: () => 0.5,
      fetch,
      token: testToken,
      ...deps,
    });
  };
  const ids = async ({ snapshotId }: SnapshotManifest) =>
    (await Array.fromAsync(readSnapshotRows(objects, "prod", snapshotId))).map((row) => row.task.id);
  const row = async ({ snapshotId }: SnapshotManifest, id: string) =>
    (await Array.fromAsync(readSnapshotRows(objects, "prod", snapshotId))).find(({ task }) => task.id === id);
  const gone = (manifest: SnapshotManifest) => Array.fromAsync(readTombstones(objects, manifest));
  return { objects, records, clock, ingest, ids, row, gone };
}

export const taskOf = (api: ProductionApi, id: string) =>
  (api.tasks as SourceTask[]).find((task) => task.id === id) as SourceTask;

/** What was asked for beside the lists, as `t3/solutions`, without queries. */
export const asked = (api: ProductionApi) =>
  api.requests
    .map(({ url }) => /\/(?:tasks|solutions)\/([^?]+)/.exec(url)?.[1])
    .filter((path) => path !== undefined)
    .sort();

/** Changes a task as an honest source does: its entry shows it. */
export function touch(api: ProductionApi, id: string, at: string): void {
  const task = taskOf(api, id);
  task.updated_at = at;
  task.solutions_count = api.solutions[id]?.length ?? 0;
}
