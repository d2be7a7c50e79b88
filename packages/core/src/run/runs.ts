import { TracemillError } from "../errors.ts";
import { timeId } from "../ids.ts";
import { objectKeys, recordKeys } from "../keys.ts";
import type { Clock } from "../ports/clock.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { readStored } from "../stored-json.ts";
import { parseAs } from "../validation.ts";
import { RunRecord } from "./run.ts";
import { canonicalJson, ResolvedRunSpec, type RunSpec, specHash } from "./spec.ts";

interface RunDeps {
  objects: ObjectStore;
  records: RecordStore;
  clock: Clock;
}

/**
 * Writes a new run: first its spec, then its row.
 * @param runId for a caller that may ask twice: the run that is there already is then left as it is.
 */
export async function createRun(spec: RunSpec, deps: RunDeps, runId?: string): Promise<RunRecord> {
  const now = deps.clock.now();
  const id = runId ?? timeId("run", now);
  const record: RunRecord = {
    schemaVersion: 1,
    runId: id,
    name: spec.name,
    specHash: specHash(spec),
    createdAt: new Date(now).toISOString(),
    status: "running",
  };
  await deps.objects.putIfAbsent(objectKeys.runSpec(id), Buffer.from(`${canonicalJson(spec)}\n`));
  const written = await deps.records.put(recordKeys.run(id), record, "absent");
  return written === undefined ? readRun(id, deps.records) : record;
}

/** @throws TracemillError `not-found`, naming the verb that lists runs. */
export async function readRun(runId: string, records: RecordStore): Promise<RunRecord> {
  return (await readVersionedRun(runId, records)).run;
}

async function readVersionedRun(
  runId: string,
  records: RecordStore,
): Promise<{ version: number; run: RunRecord }> {
  const key = recordKeys.run(runId);
  const stored = await records.get(key);
  if (stored === undefined)
    throw new TracemillError("not-found", `no run ${runId} here; \`tracemill runs\` lists them`);
  const run = parseAs(RunRecord, stored.data, `record ${key.pk}/${key.sk}`, "storage-corrupt");
  return { version: stored.version, run };
}

/**
 * Finds a run by its id, the start of its id, its name (the newest of that name), or `latest`.
 * @throws TracemillError `not-found`, or `invalid-input` when the start of an id fits several.
 */
export async function findRun(reference: string, records: RecordStore): Promise<RunRecord> {
  const found = reference.startsWith("run_")
    ? await findById(reference, records)
    : await findNewest(records, (run) => reference === "latest" || run.name === reference);
  if (found !== undefined) return found;
  throw new TracemillError("not-found", `no run ${reference} here; \`tracemill runs\` lists them`);
}

async function findById(start: string, records: RecordStore): Promise<RunRecord | undefined> {
  let found: RunRecord | undefined;
  for await (const run of listRuns(records, { prefix: start })) {
    if (run.runId === start) return run;
    if (found !== undefined) {
      throw new TracemillError("invalid-input", `${start} fits several runs; give more of the id`);
    }
    found = run;
  }
  return found;
}

/** The newest run that is wanted. */
export async function findNewest(
  records: RecordStore,
  wanted: (run: RunRecord) => boolean,
): Promise<RunRecord | undefined> {
  for await (const run of listRuns(records, { newestFirst: true })) if (wanted(run)) return run;
  return undefined;
}

export async function* listRuns(
  records: RecordStore,
  options: { newestFirst?: boolean; prefix?: string } = {},
): AsyncGenerator<RunRecord> {
  const { newestFirst: reverse = false, prefix } = options;
  for await (const stored of records.query("runs", {
    reverse,
    ...(prefix === undefined ? {} : { prefix }),
  })) {
    yield parseAs(RunRecord, stored.data, `record ${stored.pk}/${stored.sk}`, "storage-corrupt");
  }
}

export async function readRunSpec(runId: string, objects: ObjectStore): Promise<RunSpec> {
  const key = objectKeys.runSpec(runId);
  return readStored(objects, key, ResolvedRunSpec);
}

type RunState =
  | { status: "running" }
  | { status: "stopped"; stoppedAt: string; reason: string }
  | { status: "finished"; finishedAt: string; dataset?: string };

/**
 * Moves a run to another state; the last writer wins, since every state is derived from what is stored. Only a
 * finished run is not stopped: another process has done the rest meanwhile.
 */
export async function setRunState(runId: string, state: RunState, records: RecordStore): Promise<RunRecord> {
  for (;;) {
    const { version, run } = await readVersionedRun(runId, records);
    if (run.status === "finished" && state.status === "stopped") return run;
    const { schemaVersion, name, specHash: hash, createdAt } = run;
    const record = RunRecord.parse({ schemaVersion, runId, name, specHash: hash, createdAt, ...state });
    if ((await records.put(recordKeys.run(runId), record, { version })) !== undefined) return record;
  }
}
