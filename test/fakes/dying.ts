import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";

export interface Stores {
  objects: ObjectStore;
  records: RecordStore;
}

/** The stores of a process that dies at its `left`-th write. @param lands whether that write still gets through. */
export function dyingStores({ objects, records }: Stores, left: number, lands: boolean): Stores {
  let writes = left;
  const write = async <T>(work: () => Promise<T>): Promise<T> => {
    writes -= 1;
    if (writes > 0) return work();
    if (writes === 0 && lands) await work();
    throw new Error("killed");
  };
  return {
    objects: {
      ...objects,
      put: (key, body) => write(() => objects.put(key, body)),
      putIfAbsent: (key, body) => write(() => objects.putIfAbsent(key, body)),
      delete: (key) => write(() => objects.delete(key)),
    },
    records: { ...records, put: (key, data, condition) => write(() => records.put(key, data, condition)) },
  };
}

/** A fetch that works `left` times, and is then told that its token is not good any more. */
export function dyingFetch(left: number, fetchOne: typeof fetch = fetch): typeof fetch {
  let requests = left;
  return async (url, init) => {
    requests -= 1;
    if (requests < 0) return Response.json({ error: "no more" }, { status: 401 });
    return fetchOne(url, init);
  };
}
