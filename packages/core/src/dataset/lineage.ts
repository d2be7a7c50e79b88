import * as z from "zod";
import { objectKeys } from "../keys.ts";
import { DatasetFormat } from "../run/export-spec.ts";
import { TaskRef } from "../run/trial.ts";
import type { CollectedTrial } from "./collect-trials.ts";

/** One line of `lineage.jsonl`: where a row came from. */
export const LineageRow = z.strictObject({
  format: DatasetFormat,
  split: z.string(),
  /** `sft`: its `row_id`; `trials`: its `trial_id`; `harbor`: trial id, attempt and episode. */
  row_id: z.string(),
  trial_id: z.string(),
  attempt: z.number().int(),
  /** Object key and SHA-256 of the attempt's whole record. */
  result_key: z.string(),
  result_sha256: z.string(),
  /** Content hash of the task. */
  task_hash: z.string(),
  /** The snapshot's row or the folder that the task was made of. */
  origin: TaskRef.shape.origin,
});
export type LineageRow = z.infer<typeof LineageRow>;

export function lineageOf(
  { result, sha256 }: CollectedTrial,
  { format, split, rowId }: { format: DatasetFormat; split: string; rowId: string },
): LineageRow {
  const { runId, trial, attempt } = result;
  return {
    format,
    split,
    row_id: rowId,
    trial_id: trial.trialId,
    attempt,
    result_key: objectKeys.attempt(runId, trial.trialId, attempt, "result.json"),
    result_sha256: sha256,
    task_hash: trial.task.hash,
    origin: trial.task.origin,
  };
}
