import * as z from "zod";
import { OutcomeKind } from "./outcome.ts";

export const DatasetFormat = z.enum(["sft", "harbor", "art", "trials"]);
export type DatasetFormat = z.infer<typeof DatasetFormat>;

/** The `export` section of a run's spec. */
export const ExportSpec = z.strictObject({
  /** Dataset name: `datasets/<name>/<version>/`. */
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/i, "letters, digits, dot, dash and underscore"),
  formats: z.array(DatasetFormat).min(1).default(["sft", "trials"]),
  /** Rows below this reward are left out of `sft` and `harbor`; `trials` has all, `art` needs the low ones too. */
  minReward: z.number().optional(),
  outcomes: z.array(OutcomeKind).default(["scored", "agent-failed"]),
  /** Agents by name; all when absent. */
  agents: z.array(z.string()).optional(),
  /** Drops rows whose conversation is the same to the letter. */
  dedupe: z.boolean().default(true),
  /** `all`: a Harbor row for each agent turn; `last`: the whole conversation only. */
  episodes: z.enum(["all", "last"]).default("last"),
  /**
   * Makes failed rollouts, which are exceptions of their group in `art`, trajectories with this reward where they
   * left one. Coded tasks of ART use -1. It trains on failures that were not the agent's.
   */
  artFailureReward: z.number().optional(),
  /** Shares of the tasks' groups; they add up to 1. */
  splits: z.record(z.string().regex(/^[a-z]+$/), z.number().min(0).max(1)).default({ train: 1 }),
  seed: z.number().int().default(0),
  /** Largest JSONL bytes that go into one Parquet file. */
  shardBytes: z
    .number()
    .int()
    .positive()
    .default(256 * 1024 * 1024),
});
export type ExportSpec = z.infer<typeof ExportSpec>;
