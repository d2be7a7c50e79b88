import { sha256Hex } from "@tracemill/core/ids.ts";
import { compareKeys } from "@tracemill/core/ports/object-key.ts";
import type { RecordStore, StoredRecord } from "@tracemill/core/ports/record-store.ts";
import { canonicalJson } from "@tracemill/core/run/spec.ts";
import { atOnce } from "./at-once.ts";
import type { Ledger } from "./ledger.ts";
import type { SyncTally } from "./tally.ts";

export interface RecordDeps {
  source: RecordStore;
  target: RecordStore;
  ledger: Ledger;
  tally: SyncTally;
  dryRun: boolean;
}

const rowsAtOnce = 16;

/** Brings the rows of one partition from the source to the target; rows that only the target has stay. */
export async function copyPartition(pk: string, deps: RecordDeps): Promise<void> {
  await atOnce(pairsOf(pk, deps), rowsAtOnce, ([row, there]) => copyRecord(row, there, deps));
}

/** Brings one row. */
export async function copyRow(key: { pk: string; sk: string }, deps: RecordDeps): Promise<void> {
  const [row, there] = await Promise.all([deps.source.get(key), deps.target.get(key)]);
  if (row !== undefined) await copyRecord(row, there, deps);
}

async function copyRecord(
  row: StoredRecord,
  there: StoredRecord | undefined,
  { target, ledger, tally, dryRun }: RecordDeps,
): Promise<void> {
  const { pk, sk, data } = row;
  const what = `record ${pk}/${sk}`;
  const hash = hashOf(row);
  const verdict = await ledger.judge(what, hash, there && hashOf(there));
  if (verdict === "conflict") return tally.conflict(what, "changed on both sides");
  if (verdict !== "copy") return tally.add(verdict);
  if (!dryRun) {
    const condition = there === undefined ? "absent" : { version: there.version };
    const written = await target.put({ pk, sk }, data, condition);
    // Somebody works on the run there, at this moment.
    if (written === undefined) return tally.conflict(what, "was changed there meanwhile");
    if (there !== undefined) await ledger.settle(what, hash);
  }
  tally.add(there === undefined ? "copied" : "replaced");
}

function hashOf({ data }: StoredRecord): string {
  return sha256Hex(canonicalJson(data));
}

/** The source's rows, each with the target's; both come in the order of their keys. */
async function* pairsOf(
  pk: string,
  { source, target }: RecordDeps,
): AsyncGenerator<[StoredRecord, StoredRecord | undefined]> {
  const others = target.query(pk)[Symbol.asyncIterator]();
  let other = await others.next();
  for await (const row of source.query(pk)) {
    while (other.done !== true && compareKeys(other.value.sk, row.sk) < 0) other = await others.next();
    const isThere = other.done !== true && other.value.sk === row.sk;
    yield [row, isThere ? (other.value as StoredRecord) : undefined];
  }
}
