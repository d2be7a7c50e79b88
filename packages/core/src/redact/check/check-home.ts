import { pMapIterable } from "p-map";
import type { CaptureStore } from "../../capture/capture-store.ts";
import { recordKeys } from "../../keys.ts";
import type { ObjectInfo, ObjectStore } from "../../ports/object-store.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import type { ScanningRedactor } from "../scanning-redactor.ts";
import { type Checked, checkObject } from "./check-object.ts";
import { checkValue } from "./check-value.ts";

/** What was looked into: an object by its key, or a record. */
export interface CheckedItem extends Checked {
  where: string;
  bytes: number;
}

/** Objects that are read at once: a bucket answers in some 30 ms, whatever their size. */
const readsAtOnce = 8;

/** Looks for secrets in all objects whose keys begin with one of the prefixes. */
export async function* checkObjects(
  prefixes: readonly string[],
  deps: { objects: Pick<ObjectStore, "list" | "get">; redactor: ScanningRedactor },
): AsyncGenerator<CheckedItem> {
  yield* pMapIterable(
    listed(prefixes, deps.objects),
    async ({ key, size }): Promise<CheckedItem> => {
      const body = await deps.objects.get(key);
      // Gone since it was listed.
      const checked = body === undefined ? nothing : await checkObject(key, body, deps.redactor);
      return { where: key, bytes: size, ...checked };
    },
    { concurrency: readsAtOnce },
  );
}

const nothing: Checked = { sightings: [], more: 0 };

async function* listed(
  prefixes: readonly string[],
  objects: Pick<ObjectStore, "list">,
): AsyncGenerator<ObjectInfo> {
  for (const prefix of prefixes) yield* objects.list(prefix);
}

/** Looks for secrets in the records of all runs: their own rows, those of their trials, stages and shards. */
export async function* checkRecords(deps: {
  records: Pick<RecordStore, "query">;
  redactor: ScanningRedactor;
}): AsyncGenerator<CheckedItem> {
  const runs = recordKeys.run("").pk;
  for await (const run of deps.records.query(runs)) {
    yield checkedRecord(run, deps.redactor);
    const { pk } = recordKeys.progress(run.sk);
    for await (const record of deps.records.query(pk)) yield checkedRecord(record, deps.redactor);
  }
}

/** Looks for secrets in what proxies captured, exchange by exchange. */
export async function* checkCaptures(deps: {
  captures: Pick<CaptureStore, "sessions" | "exchanges">;
  redactor: ScanningRedactor;
}): AsyncGenerator<CheckedItem> {
  for await (const { sessionId } of deps.captures.sessions()) {
    for await (const exchange of deps.captures.exchanges(sessionId)) {
      const where = `capture ${sessionId}/${exchange.id}`;
      yield { where, bytes: 0, sightings: checkValue(exchange, deps.redactor), more: 0 };
    }
  }
}

function checkedRecord(
  { pk, sk, data }: { pk: string; sk: string; data: unknown },
  redactor: ScanningRedactor,
): CheckedItem {
  return { where: `record ${pk}/${sk}`, bytes: 0, sightings: checkValue(data, redactor), more: 0 };
}
