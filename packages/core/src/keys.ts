/** Object keys and record keys: the same in both homes, all made here. */
import type { RecordKey } from "./ports/record-store.ts";

export const objectKeys = {
  snapshotPart: (source: string, snapshotId: string, part: number): string =>
    `raw/${source}/${snapshotId}/part-${String(part).padStart(5, "0")}.jsonl.zst`,
  snapshotRejects: (source: string, snapshotId: string, part: number): string =>
    `raw/${source}/${snapshotId}/rejects-${String(part).padStart(5, "0")}.jsonl.zst`,
  snapshotManifest: (source: string, snapshotId: string): string =>
    `raw/${source}/${snapshotId}/manifest.json`,
  /** The tasks that one snapshot was turned into. */
  preparedTasks: (source: string, snapshotId: string): string =>
    `prepared/${source}/${snapshotId}/tasks.jsonl.zst`,
  preparedManifest: (source: string, snapshotId: string): string =>
    `prepared/${source}/${snapshotId}/manifest.json`,
  task: (hash: string): string => `tasks/${hash}.tar.zst`,
  reference: (hash: string): string => `references/${hash}.json`,
  run: (runId: string): string => `runs/${runId}/`,
  runSpec: (runId: string): string => `runs/${runId}/spec.json`,
  runShards: (runId: string): string => `runs/${runId}/plan/shards.json`,
  runTrials: (runId: string): string => `runs/${runId}/plan/trials.jsonl.zst`,
  attempt: (
    runId: string,
    trialId: string,
    attempt: number,
    file: "result.json" | "trajectory.json" | "exchanges.jsonl.zst" | "artifacts.tar.zst",
  ): string => `runs/${runId}/trials/${trialId}/${attempt}/${file}`,
  dataset: (name: string, version: string): string => `datasets/${name}/${version}/`,
};

export const recordKeys = {
  /** All runs, newest last. */
  run: (runId: string): RecordKey => ({ pk: "runs", sk: runId }),
  trial: (runId: string, trialId: string): RecordKey => ({ pk: `run#${runId}`, sk: `trial#${trialId}` }),
  stage: (runId: string, stage: string): RecordKey => ({ pk: `run#${runId}`, sk: `stage#${stage}` }),
  /** Where an ingest of a source stands. */
  cursor: (source: string): RecordKey => ({ pk: `source#${source}`, sk: "cursor" }),
};
