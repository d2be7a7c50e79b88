import * as z from "zod";
import { OutcomeKind } from "./outcome.ts";
import { Usage } from "./trial.ts";

const Timestamp = z.iso.datetime();
const count = z.number().int().min(0);

/** What the trials of one agent have come to. */
export const AgentTally = z.strictObject({
  ended: count,
  /** Ended trials by how their last attempt ended. */
  outcomes: z.partialRecord(OutcomeKind, count),
  /** Ended attempts, earlier ones of the same trial included. */
  attempts: count,
  usage: Usage,
  rewards: z.strictObject({ n: count, sum: z.number(), sumOfSquares: z.number(), binary: z.boolean() }),
});
export type AgentTally = z.infer<typeof AgentTally>;

/** What the trials of a shard, or of a whole run, have come to: absolute counts, never differences. */
export const Tally = z.strictObject({
  /** Trials with nothing left to do. */
  ended: count,
  /** Trials whose agent is done and whose verification is not. */
  traced: count,
  /** Ended attempts, earlier ones of the same trial included. */
  attempts: count,
  /** Ended attempts by outcome. */
  outcomes: z.partialRecord(OutcomeKind, count),
  usage: Usage,
  /** By agent, as `agentLabels` calls it; absent in rows of earlier versions. */
  agents: z.record(z.string(), AgentTally).optional(),
});
export type Tally = z.infer<typeof Tally>;

/** A job that did not end as it should: no attempt's outcome, but a failure of the shard. */
export const ShardFailure = z.strictObject({
  stage: z.enum(["trace", "evaluate"]),
  at: Timestamp,
  /** Begins with what failed and says what to do. */
  reason: z.string().min(1),
  /** The state machine execution that started the job. */
  execution: z.string(),
  jobId: z.string().optional(),
  logStream: z.string().optional(),
});
export type ShardFailure = z.infer<typeof ShardFailure>;

/** A shard's row in the record store. Its workers write the tally every minute and at their end. */
export const ShardRecord = z.strictObject({
  schemaVersion: z.literal(1),
  shardId: z.string(),
  updatedAt: Timestamp,
  tally: Tally,
  /** Oldest first, the newest 20. */
  failures: z.array(ShardFailure),
  /** The job that reported last. */
  job: z
    .strictObject({
      jobId: z.string(),
      logStream: z.string().optional(),
      tokensPerSecond: z.number().optional(),
    })
    .optional(),
});
export type ShardRecord = z.infer<typeof ShardRecord>;

/** The sum over a run's shards: `run#<runId>` / `progress`. */
export const RunProgress = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  updatedAt: Timestamp,
  tally: Tally,
  /** Shards whose last job failed. */
  failedShards: count,
});
export type RunProgress = z.infer<typeof RunProgress>;
