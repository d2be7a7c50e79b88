/** Object keys and record keys: the same in both homes, all made here. */
import type { RecordKey } from "./ports/record-store.ts";

export const objectKeys = {
  snapshotPart: (source: string, snapshotId: string, part: number): string =>
    `raw/${source}/${snapshotId}/part-${String(part).padStart(5, "0")}.jsonl.zst`,
  snapshotRejects: (source: string, snapshotId: string, part: number): string =>
    `raw/${source}/${snapshotId}/rejects-${String(part).padStart(5, "0")}.jsonl.zst`,
  /** What a part holds and which tasks were seen while it filled; gone once the manifest is written. */
  snapshotCheckpoint: (source: string, snapshotId: string, part: number): string =>
    `raw/${source}/${snapshotId}/checkpoint-${String(part).padStart(5, "0")}.json`,
  /** Prefix of the snapshots of one source, or of all. */
  snapshots: (source?: string): string => (source === undefined ? "raw/" : `raw/${source}/`),
  /** Tasks that have left the state, one tombstone a line. */
  snapshotTombstones: (source: string, snapshotId: string, part: number): string =>
    `raw/${source}/${snapshotId}/tombstones-${String(part).padStart(5, "0")}.jsonl.zst`,
  /** What the next ingest has to know of each task that was looked at. */
  snapshotIndex: (source: string, snapshotId: string, part: number): string =>
    `raw/${source}/${snapshotId}/index-${String(part).padStart(5, "0")}.jsonl.zst`,
  snapshotManifest: (source: string, snapshotId: string): string =>
    `raw/${source}/${snapshotId}/manifest.json`,
  /** What each row of one snapshot was turned into, those of the snapshots before it not among them. */
  preparedRows: (source: string, snapshotId: string): string =>
    `prepared/${source}/${snapshotId}/rows.jsonl.zst`,
  /** The tasks that the state as of one snapshot was turned into. */
  preparedTasks: (source: string, snapshotId: string): string =>
    `prepared/${source}/${snapshotId}/tasks.jsonl.zst`,
  preparedManifest: (source: string, snapshotId: string): string =>
    `prepared/${source}/${snapshotId}/manifest.json`,
  /** What was embedded in raw data, such as a screenshot: the bytes themselves, each once. */
  artifact: (sha256: string): string => `artifacts/${sha256}`,
  task: (hash: string): string => `tasks/${hash}.tar.zst`,
  reference: (hash: string): string => `references/${hash}.json`,
  run: (runId: string): string => `runs/${runId}/`,
  runSpec: (runId: string): string => `runs/${runId}/spec.json`,
  /** The tasks of a run, one `TaskRef` a line. */
  runTasks: (runId: string): string => `runs/${runId}/plan/tasks.jsonl.zst`,
  /** The plan's counts and its list of shards. */
  runShards: (runId: string): string => `runs/${runId}/plan/shards.json`,
  /** The trials of one shard, one `Trial` a line. */
  runShard: (runId: string, shardId: string): string => `runs/${runId}/plan/${shardId}.jsonl.zst`,
  /** Pairs of task and agent that the plan left out, with the reason. */
  runExcluded: (runId: string): string => `runs/${runId}/plan/excluded.jsonl.zst`,
  /** The folders that the run's spec names, as the machine that started it saw them, one `SentFolder` a line. */
  runFolders: (runId: string): string => `runs/${runId}/plan/folders.jsonl.zst`,
  /**
   * What one round of a state machine works on: a JSON array, one entry a shard or an image. `state`: how far the run
   * was when the round was made.
   */
  runRound: (runId: string, execution: string, round: number, what: "shards" | "images" | "state"): string =>
    `runs/${runId}/rounds/${execution}/${round}-${what}.json`,
  /** Prefix under which a distributed map reports the shards of a round. */
  runRoundResults: (runId: string, execution: string): string => `runs/${runId}/rounds/${execution}/results/`,
  /** The results table: one row a trial. */
  runResults: (runId: string): string => `runs/${runId}/results.csv`,
  runSummary: (runId: string): string => `runs/${runId}/summary.json`,
  /** What a finished run came to, for `report`. */
  runReport: (runId: string): string => `runs/${runId}/report.json`,
  attempt: (
    runId: string,
    trialId: string,
    attempt: number,
    file: "result.json" | "trajectory.json" | "exchanges.jsonl.zst" | "artifacts.tar.zst",
  ): string => `runs/${runId}/trials/${trialId}/${attempt}/${file}`,
  dataset: (name: string, version: string): string => `datasets/${name}/${version}/`,
  /** What a model said of a page; `model` as `taskName` (prepare) has it, `sha256` of prompt and page. */
  label: (model: string, sha256: string): string => `labels/${model}/${sha256}.json`,
  /** What a model answered; `sha256` of its address and the request's body. */
  modelAnswer: (sha256: string): string => `models/cache/${sha256}.json`,
  /** A spec that new snapshots start runs of. */
  storedSpec: (name: string): string => `specs/${name}.json`,
  /** A long value of a source's answer while it arrives: gone once it has its name, or by the source's next ingest. */
  spool: (source: string, id: string): string => `spool/${source}/${id}`,
  /** Prefix of what proxies captured: of one session, or of all. */
  captures: (sessionId?: string): string =>
    sessionId === undefined ? "captures/" : `captures/${sessionId}/`,
  /** A session's exchanges, one a line, once it has ended. */
  capture: (sessionId: string): string => `captures/${sessionId}/exchanges.jsonl.zst`,
  /** What came to a session that had ended before. */
  captureMore: (sessionId: string, writer: string, part: number): string =>
    `captures/${sessionId}/exchanges-${writer}-${String(part).padStart(5, "0")}.jsonl.zst`,
  /** What one process has written of a session so far; gone once the session has ended. */
  capturePart: (sessionId: string, writer: string, part: number): string =>
    `captures/${sessionId}/part-${writer}-${String(part).padStart(5, "0")}.jsonl.zst`,
  /** What one process knows of a session, a `CapturedSession`. */
  captureSession: (sessionId: string, writer: string): string =>
    `captures/${sessionId}/session-${writer}.json`,
};

export const recordKeys = {
  /** All runs, newest last. */
  run: (runId: string): RecordKey => ({ pk: "runs", sk: runId }),
  trial: (runId: string, trialId: string): RecordKey => ({ pk: `run#${runId}`, sk: `trial#${trialId}` }),
  stage: (runId: string, stage: string): RecordKey => ({ pk: `run#${runId}`, sk: `stage#${stage}` }),
  /** How a shard stands, as its workers report it. */
  shard: (runId: string, shardId: string): RecordKey => ({ pk: `run#${runId}`, sk: `shard#${shardId}` }),
  /** The sum over a run's shards. */
  progress: (runId: string): RecordKey => ({ pk: `run#${runId}`, sk: "progress" }),
  /** Where an ingest of a source stands. */
  cursor: (source: string): RecordKey => ({ pk: `source#${source}`, sk: "cursor" }),
  /** A write to a source's API, by its idempotency key. */
  write: (source: string, key: string): RecordKey => ({ pk: `source#${source}`, sk: `write#${key}` }),
  /** What came of one firing of a source's schedule. */
  firing: (source: string, firing: string): RecordKey => ({ pk: `source#${source}`, sk: `firing#${firing}` }),
  /** Which job of another system a run was imported from. */
  imported: (runId: string): RecordKey => ({ pk: `run#${runId}`, sk: "imported" }),
};
