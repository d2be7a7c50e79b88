import * as z from "zod";
import { recordKeys } from "../keys.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { parseAs } from "../validation.ts";
import { latestSnapshot } from "./manifest.ts";

/**
 * One cause to mirror a source, a firing of its schedule or a run: one that is delivered twice, or tried again, knows
 * what there was before it.
 */
export const FiringRecord = z.strictObject({
  schemaVersion: z.literal(1),
  source: z.string(),
  firing: z.string(),
  /** The newest whole snapshot when it fired; another one since then is its work, or newer than its work. */
  before: z.string().optional(),
  /** The snapshot that was announced: nothing is left to do. */
  announced: z.string().optional(),
});
export type FiringRecord = z.infer<typeof FiringRecord>;

type Records = Pick<RecordStore, "get" | "put">;

/** The firing's row, written when this is the first that is heard of it. */
export async function openFiring(source: string, firing: string, records: Records): Promise<FiringRecord> {
  const key = recordKeys.firing(source, firing);
  const stored = await records.get(key);
  if (stored !== undefined) {
    return parseAs(FiringRecord, stored.data, `record ${key.pk}/${key.sk}`, "storage-corrupt");
  }
  const before = await latestSnapshot(records, source);
  const row: FiringRecord = {
    schemaVersion: 1,
    source,
    firing,
    ...(before === undefined ? {} : { before }),
  };
  const written = await records.put(key, row, "absent");
  return written === undefined ? openFiring(source, firing, records) : row;
}

/** The snapshot that was completed since the firing; `undefined` while there is none. */
export async function completedSince(
  { source, before }: FiringRecord,
  records: Records,
): Promise<string | undefined> {
  const latest = await latestSnapshot(records, source);
  return latest === before ? undefined : latest;
}

export async function markAnnounced(row: FiringRecord, snapshotId: string, records: Records): Promise<void> {
  await records.put(
    recordKeys.firing(row.source, row.firing),
    { ...row, announced: snapshotId } satisfies FiringRecord,
    "any",
  );
}
