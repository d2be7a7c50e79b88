import { recordKeys } from "@tracemill/core/keys.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { readShardRecord } from "@tracemill/core/run/progress.ts";
import type { ShardFailure, ShardRecord } from "@tracemill/core/run/shard-record.ts";
import { emptyTally } from "@tracemill/core/run/tally.ts";

/** Failures that a shard's row keeps. */
const kept = 20;

/**
 * Adds a failure to a shard's row, whoever else writes it meanwhile. `updatedAt` stays: it says when a worker
 * reported last, by which a resumed run knows what it has looked at again. One that is there already is not added
 * again, so that a repeated call changes nothing.
 */
export async function addShardFailure(
  runId: string,
  shardId: string,
  failure: ShardFailure,
  records: Pick<RecordStore, "get" | "put">,
): Promise<void> {
  const key = recordKeys.shard(runId, shardId);
  for (;;) {
    const held = await readShardRecord(runId, shardId, records);
    const row = held?.row ?? newRow(shardId, failure.at);
    if (row.failures.some((each) => isSame(each, failure))) return;
    const failures = [...row.failures, failure].slice(-kept);
    const condition = held === undefined ? "absent" : { version: held.version };
    const next: ShardRecord = { ...row, failures };
    if ((await records.put(key, next, condition)) !== undefined) return;
  }
}

function newRow(shardId: string, updatedAt: string): ShardRecord {
  return { schemaVersion: 1, shardId, updatedAt, tally: emptyTally(), failures: [] };
}

/** A job fails once; what is no job's failure is told apart by its words. */
function isSame(a: ShardFailure, b: ShardFailure): boolean {
  const isOfOne = a.execution === b.execution && a.stage === b.stage;
  return isOfOne && (b.jobId === undefined ? a.reason === b.reason : a.jobId === b.jobId);
}
