import * as z from "zod";
import { DatasetFormat, ExportSpec } from "../run/export-spec.ts";
import { RowCount, TablesManifest } from "./tables-manifest.ts";

const count = z.number().int().min(0);

/** `datasets/<name>/<version>/manifest.json`: written last, so that a dataset with a manifest is whole. */
export const DatasetManifest = z.strictObject({
  ...TablesManifest.shape,
  runId: z.string(),
  /** The run's resolved spec; values of `env` are left out. */
  spec: z.unknown(),
  export: ExportSpec,
  /** When the last attempt ended; absent when no trial has. */
  lastEndedAt: z.iso.datetime().optional(),
  /** By format, then by split. */
  counts: z.partialRecord(DatasetFormat, z.record(z.string(), RowCount)),
  leftOut: z.strictObject({
    /** Trials that were begun and had not ended: in no format. */
    notEnded: count,
    /** Ended trials (for `duplicate`: rows) that a training format does not have, by reason. */
    formats: z.partialRecord(DatasetFormat, z.record(z.string(), count)),
  }),
  lineage: z.strictObject({
    /** Ended trials. */
    trials: count,
    /** Distinct tasks, by content hash. */
    tasks: count,
    snapshots: z.array(z.strictObject({ source: z.string(), snapshotId: z.string(), trials: count })),
    /** Trials whose task came from a folder. */
    folderTrials: count,
    /** SHA-256 over trial id, attempt and record hash of every trial. */
    resultsSha256: z.string(),
  }),
  /** What was found in more than one split. Groups never are; conversations may be with `dedupe: false`. */
  leakCheck: z.strictObject({
    groups: count,
    groupsInSeveralSplits: count,
    conversations: z.partialRecord(
      DatasetFormat,
      z.strictObject({ distinct: count, inSeveralSplits: count }),
    ),
  }),
  /** Rewards by agent, over all ended trials; trials without a reward are not in the mean. */
  agents: z.array(
    z.strictObject({
      agent: z.string(),
      model: z.string().optional(),
      trials: count,
      rewarded: count,
      meanReward: z.number().optional(),
      outcomes: z.record(z.string(), count),
    }),
  ),
  /** Secrets that were still in the rows and were taken out of them, by kind; absent when there were none. */
  redactions: z.record(z.string(), count).optional(),
});
export type DatasetManifest = z.infer<typeof DatasetManifest>;

/** A run's spec without the values of its variables, which may be secrets: a dataset is made to be shared. */
export function publicSpec(spec: unknown): unknown {
  if (typeof spec !== "object" || spec === null) return spec;
  const { env, models } = spec as { env?: object; models?: object };
  const served = Object.entries(models ?? {}).map(([name, model]) => [name, publicSpec(model)]);
  return {
    ...spec,
    ...(env === undefined ? {} : { env: namesOnly(env) }),
    ...(models === undefined ? {} : { models: Object.fromEntries(served) }),
  };
}

function namesOnly(env: object): Record<string, string> {
  return Object.fromEntries(Object.keys(env).map((name) => [name, "(left out)"]));
}
