/** One request after another, as a step makes them, in seconds. */
export const putSeconds = 0.03;
export const rowSeconds = 0.005;

/** A query gives some 20,000 small rows a second; a list is written at 50 MB a second. */
export const rowsPerSecond = 20_000;
export const listBytesPerSecond = 50e6;

/** A shard's row has some 600 bytes, a strongly consistent read unit 4 KB. */
export const shardRowsPerReadUnit = 6;

/** Changed rows that one invocation of `progress` takes at most: `batchSize` in infra/triggers.ts. */
export const progressBatch = 1_000;
