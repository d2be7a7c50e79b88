/** Functions by their file in `packages/functions/src/handlers`. */
export const functionNames = [
  "ingest",
  "prepare",
  "plan",
  "collect",
  "export-small",
  "end-run",
  "record-failure",
  "progress",
  "start-run",
  "api",
] as const;
export type FunctionName = (typeof functionNames)[number];

/** Lambda's own limit. */
const longest = 900;

/** How long an invocation may take, in seconds. */
export const functionSeconds: Record<FunctionName, number> = {
  // Steps use what there is, and go on as a job when it runs short.
  ingest: longest,
  prepare: longest,
  plan: longest,
  "export-small": longest,
  // Reads a row for each shard: 10,000 of them take a minute.
  collect: 300,
  "end-run": 60,
  // Lists a queue's live jobs and ends those of one run, one call a job.
  "record-failure": 600,
  // Sums the shards of the runs in a batch.
  progress: 180,
  "start-run": 60,
  // Somebody waits for the answer.
  api: 30,
};

/** MiB; the CPU's share grows with it, one whole vCPU at 1,769. */
export const functionMemory: Record<FunctionName, number> = {
  // Bound by the API it reads from: parsing and zstd of one page at a time.
  ingest: 1_024,
  // Packs archives and hashes; a recording of 256 MiB, the longest that is read back, takes 3 GB.
  prepare: 4_096,
  // Holds a run's open shards (16,384 trials).
  plan: 2_048,
  // DuckDB may take 1 GiB of it (`packages/local/src/duckdb-parquet.ts`).
  "export-small": 3_008,
  // Holds the plan and the rows of 125,000 shards (`sandbox: job` has eight trials in one).
  collect: 2_048,
  "end-run": 256,
  "record-failure": 512,
  progress: 512,
  "start-run": 256,
  api: 512,
};
