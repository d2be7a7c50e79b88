import * as z from "zod";
import { recordKeys } from "../keys.ts";
import type { Clock } from "../ports/clock.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { parseAs } from "../validation.ts";

/** How a write stands: written before the request leaves, and when its answer is known. */
export const WriteRecord = z.strictObject({
  schemaVersion: z.literal(1),
  kind: z.enum(["task", "claim", "solution"]),
  /** Idempotency key: the same for every attempt, in every process. */
  key: z.string(),
  /** Path below the base URL. */
  path: z.string(),
  status: z.enum(["sending", "done"]),
  startedAt: z.iso.datetime(),
  /** While `sending`: nobody else sends before this; milliseconds since the epoch. */
  until: z.number().int(),
  /** What the API calls the thing that was made. */
  id: z.string().optional(),
});
export type WriteRecord = z.infer<typeof WriteRecord>;

/** A write that this process may send, or one that is over and done with. */
export interface Intent {
  /** An earlier process began it, and may have sent it. */
  repeated: boolean;
  /** What the API made of it, when that is known: there is nothing to send. */
  id?: string;
  /** Writes down what the API made of it. */
  finish(id: string): Promise<void>;
  /** Leaves it to whoever tries next: it failed here, and may have arrived all the same. */
  release(): Promise<void>;
}

export interface IntentDeps {
  records: Pick<RecordStore, "get" | "put">;
  clock: Clock;
  /** Name of the source; its writes are remembered under it. */
  source: string;
  signal?: AbortSignal | undefined;
  /** Told in words when there is something to wait for. */
  onWait?: ((text: string) => void) | undefined;
}

/** How long a process is left to send and to write down the answer, in milliseconds, and longer for large files. */
const LEASE_MS = 60_000;
const LEASE_BYTES_PER_MS = 128;
const LOOK_AGAIN_MS = 1_000;

/**
 * Stores that a write is about to be sent, before it is. When another process has stored the same, it is left the time
 * to finish; after that this one goes on with it.
 * @param bytes of the files that go with the write.
 */
export async function declareIntent(
  write: Pick<WriteRecord, "kind" | "key" | "path">,
  bytes: number,
  deps: IntentDeps,
): Promise<Intent> {
  const lease = LEASE_MS + Math.ceil(bytes / LEASE_BYTES_PER_MS);
  const { kind, key, path } = write;
  // Not by the clock alone, which may be set back: nobody waits longer than one lease.
  for (let waited = 0; ; ) {
    const earlier = await readWrite(key, deps);
    if (earlier?.row.status === "done") return intentOf(earlier.row, true, earlier.version, deps);
    const now = deps.clock.now();
    const left = Math.min((earlier?.row.until ?? 0) - now, lease - waited);
    if (left > 0) {
      waited += await pause(left, waited, deps);
      continue;
    }
    const startedAt = earlier?.row.startedAt ?? new Date(now).toISOString();
    const row: WriteRecord = {
      schemaVersion: 1,
      kind,
      key,
      path,
      status: "sending",
      startedAt,
      until: now + lease,
    };
    const condition = earlier === undefined ? "absent" : { version: earlier.version };
    const version = await deps.records.put(recordKeys.write(deps.source, key), row, condition);
    if (version !== undefined) return intentOf(row, earlier !== undefined, version, deps);
  }
}

function intentOf(
  row: WriteRecord,
  repeated: boolean,
  version: number,
  { records, source }: IntentDeps,
): Intent {
  // When it is not this version any more, another process went on with it and writes the same.
  const write = async (data: WriteRecord): Promise<void> => {
    await records.put(recordKeys.write(source, row.key), data, { version });
  };
  return {
    repeated,
    ...(row.id === undefined ? {} : { id: row.id }),
    finish: (id) => write({ ...row, status: "done", until: 0, id }),
    release: () => write({ ...row, until: 0 }),
  };
}

async function readWrite(
  key: string,
  { records, source }: IntentDeps,
): Promise<{ version: number; row: WriteRecord } | undefined> {
  const stored = await records.get(recordKeys.write(source, key));
  if (stored === undefined) return undefined;
  const row = parseAs(WriteRecord, stored.data, `record ${stored.pk}/${stored.sk}`, "storage-corrupt");
  return { version: stored.version, row };
}

async function pause(left: number, waited: number, { clock, signal, onWait }: IntentDeps): Promise<number> {
  if (waited === 0)
    onWait?.(`another process is sending this; waiting up to ${Math.ceil(left / 1_000)} s for it`);
  const ms = Math.min(left, LOOK_AGAIN_MS);
  await clock.sleep(ms, signal);
  return ms;
}
