import * as z from "zod";
import { OutcomeKind } from "../run/outcome.ts";
import { Usage } from "../run/trial.ts";

const count = z.number().int().min(0);

/** Mean of rewards. What has no reward is not in it. */
export const RewardEstimate = z.strictObject({
  /** Trials with a reward. */
  n: count,
  /** Tasks that these trials are of; absent where only shards were read. */
  tasks: count.optional(),
  mean: z.number(),
  /**
   * Standard error of the mean with trials clustered by task, since trials of one task are not independent (Miller,
   * https://arxiv.org/abs/2411.00640, with the finite-cluster correction as in Inspect AI). Absent with one task.
   */
  stderr: z.number().optional(),
});
export type RewardEstimate = z.infer<typeof RewardEstimate>;

/** Mean over the tasks that have at least k samples with a reward; the estimator is `passAtK`. */
export const PassAtK = z.strictObject({ k: count, value: z.number(), tasks: count });
export type PassAtK = z.infer<typeof PassAtK>;

/** From the beginning of an attempt to its verdict. Quantiles are within 1 %. */
const AttemptTimes = z.strictObject({
  n: count,
  meanMs: z.number(),
  p50Ms: z.number(),
  p90Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
});

export const AgentReport = z.strictObject({
  /** `NAME`, `NAME/MODEL`, or the same with the options that tell it from others. */
  agent: z.string(),
  name: z.string(),
  model: z.string().optional(),
  /** Planned trials; absent where only shards were read. */
  trials: count.optional(),
  ended: count,
  /** Ended trials by how their last attempt ended. */
  outcomes: z.partialRecord(OutcomeKind, count),
  reward: RewardEstimate.optional(),
  /** Means of named rewards other than `reward`, the first 20 names. */
  otherRewards: z.record(z.string(), z.strictObject({ n: count, mean: z.number() })),
  /** What decided the rewards. `claim`: the source's own verdict, unchecked. */
  decidedBy: z.partialRecord(z.enum(["tests", "answer", "claim", "none"]), count),
  /** Empty unless every reward is 0 or 1. */
  passAtK: z.array(PassAtK),
  /** Tasks by how many of their rewarded trials got 1; absent unless every reward is 0 or 1. */
  solved: z.strictObject({ always: count, sometimes: count, never: count }).optional(),
  /** All attempts, repeated ones too: they were paid for. */
  attempts: count,
  usage: Usage,
  times: AttemptTimes.optional(),
});
export type AgentReport = z.infer<typeof AgentReport>;

/** Trials of one task, group or source. */
export const ReportRow = z.strictObject({
  name: z.string(),
  /** A task's content hash. */
  hash: z.string().optional(),
  /** A task's group. */
  group: z.string().optional(),
  /** Tasks in it, for groups and sources. */
  tasks: count.optional(),
  trials: count,
  /** Ended trials without a reward. */
  failed: count,
  /** Mean reward over all agents; absent without any reward. */
  mean: z.number().optional(),
  /** Of the attempts whose cost is known; absent where none is. */
  costUsd: z.number().optional(),
  /** By agent, those that have a reward. */
  agents: z.record(z.string(), z.strictObject({ n: count, mean: z.number() })),
});
export type ReportRow = z.infer<typeof ReportRow>;

/** The first rows of a table, lowest mean first. */
const Rows = z.strictObject({ total: count, rows: z.array(ReportRow) });
export type Rows = z.infer<typeof Rows>;

/** Two agents on the tasks for which both have rewards. */
export const Comparison = z.strictObject({
  a: z.string(),
  b: z.string(),
  tasks: count,
  /** Mean over these tasks of a's mean reward less b's. */
  difference: z.number(),
  /** Of the paired differences; absent with one task. */
  stderr: z.number().optional(),
  better: count,
  equal: count,
  worse: count,
});
export type Comparison = z.infer<typeof Comparison>;

/** `runs/<runId>/report.json`: what a run came to. At most some 600 KB, whatever the run's size. */
export const RunReport = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  /** What was counted: every trial, or the last reports of the run's shards, which know less. */
  basis: z.enum(["trials", "shards"]),
  tasks: count,
  trials: count,
  ended: count,
  /** Pairs of task and agent that the plan left out. */
  excluded: count,
  agents: z.array(AgentReport),
  /** The agent with the highest mean against each other one. */
  comparisons: z.array(Comparison),
  byTask: Rows,
  byGroup: Rows,
  bySource: Rows,
  /** Why attempts failed, most frequent first. */
  reasons: z.array(z.strictObject({ outcome: OutcomeKind, reason: z.string(), count, trialId: z.string() })),
});
export type RunReport = z.infer<typeof RunReport>;
