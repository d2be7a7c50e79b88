import { dataAttribute } from "@tracemill/aws/record-data.ts";
import { type RecordIndex, recordIndex } from "@tracemill/aws/record-index.ts";
import type { StoreCalls } from "@tracemill/core/cost/trial-work.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordKey, RecordStore } from "@tracemill/core/ports/record-store.ts";

/** Requests that stores were asked for. */
export interface CountedCalls extends StoreCalls {
  /** Rows that queries gave. */
  queriedRows: number;
  /** Keys that were got, in order. */
  gotKeys: string[];
}

/** Attribute names, the version and the mark of a row in the table. */
const rowOverhead = 70;

/** Counts what is asked of a pair of stores; everything is passed on. */
export function countingStores(stores: { objects: ObjectStore; records: RecordStore }) {
  const calls: CountedCalls = {
    objectPuts: 0,
    objectGets: 0,
    rowReads: 0,
    rowWrites: 0,
    writeUnits: 0,
    indexUnits: 0,
    queriedRows: 0,
    gotKeys: [],
  };
  return {
    calls,
    objects: countingObjects(stores.objects, calls),
    records: countingRecords(stores.records, calls),
  };
}

function countingObjects(objects: ObjectStore, calls: CountedCalls): ObjectStore {
  return {
    putIfAbsent: (key, body) => {
      calls.objectPuts += 1;
      return objects.putIfAbsent(key, body);
    },
    put: (key, body) => {
      calls.objectPuts += 1;
      return objects.put(key, body);
    },
    get: (key, options) => {
      calls.objectGets += 1;
      calls.gotKeys.push(key);
      return objects.get(key, options);
    },
    head: (key) => {
      calls.objectGets += 1;
      return objects.head(key);
    },
    list: (prefix) => objects.list(prefix),
    delete: (key) => objects.delete(key),
  };
}

function countingRecords(records: RecordStore, calls: CountedCalls): RecordStore {
  const sizes = new Map<string, number>();
  const indexes = new Map<string, RecordIndex>();
  return {
    get: (key) => {
      calls.rowReads += 1;
      return records.get(key);
    },
    put: (key, data, condition) => {
      calls.rowWrites += 1;
      const name = `${key.pk}/${key.sk}`;
      const size = rowBytes(key, data);
      calls.writeUnits += Math.ceil(Math.max(size, sizes.get(name) ?? 0) / 1_024);
      sizes.set(name, size);
      const index = recordIndex(key, data);
      calls.indexUnits += indexWrites(indexes.get(name) ?? {}, index);
      indexes.set(name, index);
      return records.put(key, data, condition);
    },
    delete: (key, condition) => {
      calls.rowWrites += 1;
      return records.delete(key, condition);
    },
    async *query(pk, options) {
      for await (const record of records.query(pk, options)) {
        calls.queriedRows += 1;
        yield record;
      }
    },
  };
}

/** An entry that appears or goes is one write, one that moves is two: it is deleted and put. */
function indexWrites(before: RecordIndex, after: RecordIndex): number {
  return (["gsi1", "gsi2"] as const).reduce((sum, name) => {
    const from =
      before[`${name}pk`] === undefined ? undefined : `${before[`${name}pk`]} ${before[`${name}sk`]}`;
    const to = after[`${name}pk`] === undefined ? undefined : `${after[`${name}pk`]} ${after[`${name}sk`]}`;
    return from === to ? sum : sum + Number(from !== undefined) + Number(to !== undefined);
  }, 0);
}

/** What a row takes in DynamoDB, in bytes. */
export function rowBytes(key: RecordKey, data: unknown): number {
  const { S, B } = dataAttribute(JSON.stringify(data));
  return Buffer.byteLength(key.pk + key.sk) + (B?.byteLength ?? Buffer.byteLength(S ?? "")) + rowOverhead;
}
