import { TracemillError } from "../errors.ts";
import { recordKeys } from "../keys.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { Trial } from "../run/trial.ts";
import { TrialRecord } from "../run/trial.ts";
import { parseAs } from "../validation.ts";

/** A trial's row together with the version under which it was read or written. */
export interface HeldRecord<R extends TrialRecord = TrialRecord> {
  version: number;
  row: R;
}

export async function readTrialRecord(
  records: RecordStore,
  runId: string,
  trialId: string,
): Promise<HeldRecord | undefined> {
  const key = recordKeys.trial(runId, trialId);
  const stored = await records.get(key);
  if (stored === undefined) return undefined;
  return {
    version: stored.version,
    row: parseAs(TrialRecord, stored.data, `record ${key.pk}/${key.sk}`, "storage-corrupt"),
  };
}

/** Writes a row over the version that was held. `undefined`: somebody else was quicker. */
export async function writeTrialRecord<R extends TrialRecord>(
  records: RecordStore,
  runId: string,
  row: R,
  held: { version: number } | undefined,
): Promise<HeldRecord<R> | undefined> {
  const condition = held === undefined ? "absent" : { version: held.version };
  const version = await records.put(recordKeys.trial(runId, row.trialId), row, condition);
  return version === undefined ? undefined : { version, row };
}

/** Like `writeTrialRecord`, for a row whose lease this process holds. @throws TracemillError `lease-lost`. */
export async function writeOwnRecord<R extends TrialRecord>(
  records: RecordStore,
  runId: string,
  row: R,
  held: { version: number },
): Promise<HeldRecord<R>> {
  const written = await writeTrialRecord(records, runId, row, held);
  if (written !== undefined) return written;
  throw new TracemillError("lease-lost", `trial ${row.trialId}: another process took it over`);
}

/** How a trial is named to people: task, agent, and the sample when there are several. */
export function trialLabel(trial: Trial): string {
  return `${trial.task.name} · ${trial.agent.name}${trial.sample > 0 ? ` #${trial.sample + 1}` : ""}`;
}
