import * as z from "zod";
import { TablesManifest } from "../dataset/tables-manifest.ts";
import { CheckCounts } from "./checks/report.ts";
import { EpisodeProblem, ProblemKind } from "./found.ts";
import { MissingLabel } from "./labels/label.ts";

const count = z.number().int().min(0);

/** How a dataset of reward-model data is made. */
export const RewardModelSpec = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/i, "letters, digits, dot, dash and underscore"),
  /** Shares of the groups; they add up to 1. */
  splits: z
    .record(z.string().regex(/^[a-z]+$/), z.number().min(0).max(1))
    .default({ train: 0.8, val: 0.1, test: 0.1 }),
  /** Deals groups to splits, and picks pairs. */
  seed: z.number().int().default(0),
  /** What is never torn apart between splits, beside a task. */
  group: z.enum(["website", "task"]).default("website"),
  /** Most preference pairs. */
  pairs: count.max(10_000_000).default(50_000),
  /** How many of an episode's last steps make pairs. */
  recentSteps: z.number().int().min(1).default(3),
});
export type RewardModelSpec = z.infer<typeof RewardModelSpec>;

/** What a dataset is made of. */
export const RewardModelInput = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("snapshot"), source: z.string(), snapshotId: z.string() }),
  z.strictObject({ kind: z.literal("run"), runId: z.string() }),
  z.strictObject({ kind: z.literal("files"), path: z.string() }),
]);
export type RewardModelInput = z.infer<typeof RewardModelInput>;

/** `datasets/<name>/<version>/manifest.json`. */
export const RewardModelManifest = z.strictObject({
  ...TablesManifest.shape,
  kind: z.literal("reward-model"),
  spec: RewardModelSpec,
  inputs: z.array(RewardModelInput),
  episodes: z.strictObject({
    kept: count,
    successes: count,
    /** Episodes with a browser recording. */
    withBrowser: count,
    /** Replaced by a later one of the same id. */
    duplicates: count,
    /** By reason. */
    putAside: z.partialRecord(ProblemKind, count),
    /** The first hundred of those. */
    problems: z.array(EpisodeProblem),
  }),
  /** Secrets that were taken out of the episodes, by kind; absent when there were none. */
  redactions: z.record(z.string(), count).optional(),
  /** Checks decided again from the recordings, by name. */
  checks: z.array(CheckCounts),
  labels: z
    .strictObject({ model: z.string(), labelled: count, missing: z.partialRecord(MissingLabel, count) })
    .optional(),
  pairs: z.strictObject({ task: count, website: count }),
  /** What was found in more than one split. Groups and tasks never are. */
  leakCheck: z.strictObject({
    groups: count,
    groupsInSeveralSplits: count,
    tasks: count,
    tasksInSeveralSplits: count,
    websites: count,
    /** More than 0 with `group: task` alone. */
    websitesInSeveralSplits: count,
  }),
});
export type RewardModelManifest = z.infer<typeof RewardModelManifest>;
