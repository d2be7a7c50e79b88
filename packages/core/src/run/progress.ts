import { recordKeys } from "../keys.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { parseAs } from "../validation.ts";
import { RunProgress, ShardRecord } from "./shard-record.ts";
import { addTallies, emptyTally } from "./tally.ts";

/** The rows of a run's shards; a shard that no worker has reported on has none. */
export async function* readShardRecords(
  runId: string,
  records: Pick<RecordStore, "query">,
): AsyncGenerator<ShardRecord> {
  const { pk, sk: prefix } = recordKeys.shard(runId, "");
  for await (const { sk, data } of records.query(pk, { prefix }))
    yield parseAs(ShardRecord, data, `record ${pk}/${sk}`, "storage-corrupt");
}

export async function readShardRecord(
  runId: string,
  shardId: string,
  records: Pick<RecordStore, "get">,
): Promise<{ version: number; row: ShardRecord } | undefined> {
  const key = recordKeys.shard(runId, shardId);
  const stored = await records.get(key);
  if (stored === undefined) return undefined;
  const row = parseAs(ShardRecord, stored.data, `record ${key.pk}/${key.sk}`, "storage-corrupt");
  return { version: stored.version, row };
}

/** What a run has come to, added up over its shards: some 600 bytes are read for each. */
export async function sumShards(
  runId: string,
  records: Pick<RecordStore, "query">,
): Promise<Pick<RunProgress, "tally" | "failedShards">> {
  let tally = emptyTally();
  let failedShards = 0;
  for await (const row of readShardRecords(runId, records)) {
    tally = addTallies(tally, row.tally);
    if (isFailed(row)) failedShards += 1;
  }
  return { tally, failedShards };
}

/** Whether the last that was heard of a shard is that its job failed. */
export function isFailed({ failures, updatedAt }: ShardRecord): boolean {
  const last = failures.at(-1);
  return last !== undefined && Date.parse(last.at) >= Date.parse(updatedAt);
}

/** The sum as it was last written; `undefined` before the first one. */
export async function readProgress(
  runId: string,
  records: Pick<RecordStore, "get">,
): Promise<RunProgress | undefined> {
  const key = recordKeys.progress(runId);
  const stored = await records.get(key);
  return stored && parseAs(RunProgress, stored.data, `record ${key.pk}/${key.sk}`, "storage-corrupt");
}
