import * as z from "zod";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { ExportSpec } from "../run/export-spec.ts";
import { findStored } from "../stored-json.ts";

const count = z.number().int().min(0);
const Format = z.enum(["sft", "harbor", "trials"]);

export const DatasetFile = z.strictObject({
  /** Relative to the dataset's folder. */
  path: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: count,
  /** Absent for files that hold no rows of a format. */
  rows: count.optional(),
});
export type DatasetFile = z.infer<typeof DatasetFile>;

/** Rows, and the bytes that they take as JSON before compression. */
export const RowCount = z.strictObject({ rows: count, bytes: count });
export type RowCount = z.infer<typeof RowCount>;

/** `datasets/<name>/<version>/manifest.json`: written last, so that a dataset with a manifest is whole. */
export const DatasetManifest = z.strictObject({
  schemaVersion: z.literal(1),
  name: z.string(),
  /** Content id over the specs and the hash of every attempt's record: the same input has the same version. */
  version: z.string(),
  runId: z.string(),
  /** The run's resolved spec; values of `env` are left out. */
  spec: z.unknown(),
  export: ExportSpec,
  /** When the last attempt ended; absent when no trial has. */
  lastEndedAt: z.iso.datetime().optional(),
  /** By format, then by split. */
  counts: z.partialRecord(Format, z.record(z.string(), RowCount)),
  files: z.array(DatasetFile),
  leftOut: z.strictObject({
    /** Trials that were begun and had not ended: in no format. */
    notEnded: count,
    /** Ended trials (for `duplicate`: rows) that a training format does not have, by reason. */
    formats: z.partialRecord(Format, z.record(z.string(), count)),
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
    conversations: z.partialRecord(Format, z.strictObject({ distinct: count, inSeveralSplits: count })),
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
});
export type DatasetManifest = z.infer<typeof DatasetManifest>;

/** The manifest of a finished export; `undefined` when there is none. @throws TracemillError `storage-corrupt`. */
export async function readManifest(
  name: string,
  version: string,
  objects: Pick<ObjectStore, "get">,
): Promise<DatasetManifest | undefined> {
  return findStored(objects, `${objectKeys.dataset(name, version)}manifest.json`, DatasetManifest);
}

/** A run's spec without the values of its variables, which may be secrets: a dataset is made to be shared. */
export function publicSpec(spec: unknown): unknown {
  if (typeof spec !== "object" || spec === null || !("env" in spec)) return spec;
  const names = Object.keys(spec.env ?? {});
  return { ...spec, env: Object.fromEntries(names.map((name) => [name, "(left out)"])) };
}
