import * as z from "zod";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { findStored } from "../stored-json.ts";

const Count = z.number().int().min(0);

/** A row, or one solution of a row, that could not be made into what a run needs. The raw row keeps it. */
export const PrepareProblem = z.strictObject({
  taskId: z.string(),
  /** Absent: the problem is the task's own. */
  solutionId: z.string().optional(),
  reason: z.string().min(1),
});
export type PrepareProblem = z.infer<typeof PrepareProblem>;

/** `prepared/<source>/<snapshotId>/manifest.json`; a snapshot without one is not prepared. */
export const PreparedManifest = z.strictObject({
  schemaVersion: z.literal(1),
  source: z.string(),
  snapshotId: z.string(),
  preparedAt: z.iso.datetime(),
  counts: z.strictObject({
    /** Rows of the snapshot: tasks, duplicates, and rows that are a problem. */
    rows: Count,
    harbor: Count,
    scenario: Count,
    /** Recorded solutions kept as trajectories. */
    references: Count,
  }),
  /** Rows whose task is, byte for byte, the task of an earlier row; their solutions went to that one. */
  duplicates: z.array(z.strictObject({ taskId: z.string(), hash: z.string() })),
  problems: z.array(PrepareProblem),
});
export type PreparedManifest = z.infer<typeof PreparedManifest>;

/**
 * The manifest of a prepared snapshot; `undefined` when it is not prepared.
 * @throws TracemillError `storage-corrupt`.
 */
export async function readPreparedManifest(
  objects: Pick<ObjectStore, "get">,
  source: string,
  snapshotId: string,
): Promise<PreparedManifest | undefined> {
  return findStored(objects, objectKeys.preparedManifest(source, snapshotId), PreparedManifest);
}
