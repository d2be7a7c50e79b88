import { createHash } from "node:crypto";
import { pMapIterable } from "p-map";
import { TracemillError } from "../errors.ts";
import { sha256Hex } from "../ids.ts";
import { objectKeys, recordKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { Scratch, ScratchFile } from "../ports/scratch.ts";
import { AttemptResult } from "../run/result.ts";
import { TrialRecord } from "../run/trial.ts";
import { collect, lines } from "../streams.ts";
import { parseAs } from "../validation.ts";

/** Objects read at once: hides the latency of a remote store, and bounds memory. */
export const readsAtOnce = 16;

/** The attempt that stands for an ended trial. */
export interface CollectedTrial {
  /** Attempts that the trial took, this one with them. */
  attempts: number;
  /** Of the bytes of `result.json`. */
  sha256: string;
  result: AttemptResult;
}

/** The trials of a run that an export is made of, fixed before anything is converted. */
export interface Collection extends AsyncDisposable {
  trials: number;
  /** Trials that were begun and have not ended. */
  notEnded: number;
  /** SHA-256 over trial id, attempt and result hash of every trial, in order of trial id. */
  digest: string;
  /** Names of the agents that they are of. */
  agents: ReadonlySet<string>;
  /** When the last of the attempts ended; absent without trials. */
  lastEndedAt?: string;
  read(): AsyncIterable<CollectedTrial>;
}

interface CollectDeps {
  objects: Pick<ObjectStore, "get">;
  records: Pick<RecordStore, "query">;
  scratch: Scratch;
  signal?: AbortSignal;
}

/**
 * Reads the last attempt of every ended trial of a run, in order of trial id, into a scratch file. A run that
 * goes on meanwhile does not change what was collected.
 * @throws TracemillError `not-found`, `storage-corrupt` (names the object or record), `cancelled`.
 */
export async function collectTrials(runId: string, deps: CollectDeps): Promise<Collection> {
  const spool = await deps.scratch.create();
  try {
    const counts = { trials: 0, notEnded: 0, lastEndedAt: "", agents: new Set<string>() };
    const digest = createHash("sha256");
    const rows = pMapIterable(trialRows(runId, deps), (row) => readTrial(runId, row, deps), {
      concurrency: readsAtOnce,
    });
    for await (const trial of rows) {
      throwIfCancelled(deps.signal);
      if (trial === undefined) {
        counts.notEnded += 1;
        continue;
      }
      counts.trials += 1;
      counts.agents.add(trial.result.trial.agent.name);
      const { attempt, endedAt } = trial.result;
      if (endedAt > counts.lastEndedAt) counts.lastEndedAt = endedAt;
      digest.update(`${trial.result.trial.trialId} ${attempt} ${trial.sha256}\n`);
      await spool.write(`${JSON.stringify(trial)}\n`);
    }
    return collectionOf(spool, digest.digest("hex"), counts);
  } catch (error) {
    await spool[Symbol.asyncDispose]();
    throw error;
  }
}

function collectionOf(
  spool: ScratchFile,
  digest: string,
  { lastEndedAt, ...counts }: Pick<Collection, "trials" | "notEnded" | "agents"> & { lastEndedAt: string },
): Collection {
  return {
    ...counts,
    digest,
    ...(lastEndedAt === "" ? {} : { lastEndedAt }),
    async *read() {
      for await (const line of lines(spool.read())) yield JSON.parse(line) as CollectedTrial;
    },
    [Symbol.asyncDispose]: async () => spool[Symbol.asyncDispose](),
  };
}

async function* trialRows(runId: string, { records }: CollectDeps): AsyncGenerator<TrialRecord> {
  const { pk, sk: prefix } = recordKeys.trial(runId, "");
  for await (const { sk, data } of records.query(pk, { prefix })) {
    yield parseAs(TrialRecord, data, `record ${pk}/${sk}`, "storage-corrupt");
  }
}

async function readTrial(
  runId: string,
  row: TrialRecord,
  { objects }: CollectDeps,
): Promise<CollectedTrial | undefined> {
  const last = row.status === "ended" ? row.attempts.at(-1) : undefined;
  if (last === undefined) return undefined;
  const key = objectKeys.attempt(runId, row.trialId, last.attempt, "result.json");
  const body = await objects.get(key);
  if (body === undefined) {
    throw new TracemillError("not-found", `${key}: the record of an ended attempt is missing; copy it back`);
  }
  const bytes = await collect(body);
  return { attempts: row.attempts.length, sha256: sha256Hex(bytes), result: parseResult(bytes, key) };
}

function parseResult(bytes: Buffer, key: string): AttemptResult {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new TracemillError("storage-corrupt", `${key}: not whole JSON; copy the object back`, {
      cause: error,
    });
  }
  return parseAs(AttemptResult, value, key, "storage-corrupt");
}

/** @throws TracemillError `cancelled`. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new TracemillError("cancelled", "export stopped on request; the same command goes on with it", {
    cause: signal.reason,
  });
}
