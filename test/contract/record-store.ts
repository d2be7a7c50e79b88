import type { QueryOptions, RecordStore } from "@tracemill/core/ports/record-store.ts";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { gather } from "../fakes/gather.ts";

export interface OpenedRecordStore {
  store: RecordStore;
  close(): Promise<void>;
}

const key = { pk: "run#1", sk: "trial#1" };

async function sortKeys(store: RecordStore, options?: QueryOptions, pk = "p"): Promise<string[]> {
  return (await gather(store.query(pk, options))).map(({ sk }) => sk);
}

/** What every record store promises. `open` gives an empty store each time. */
export function recordStoreContract(name: string, open: () => Promise<OpenedRecordStore>): void {
  describe(`${name}: record store`, () => {
    let opened: OpenedRecordStore;
    let store: RecordStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    conditions(() => store);
    races(() => store);
    queries(() => store);
    values(() => store);
  });
}

function conditions(open: () => RecordStore): void {
  test("versions start at 1 and grow by 1", async () => {
    const store = open();
    expect(await store.get(key)).toBeUndefined();
    expect(await store.put(key, { n: 1 }, "absent")).toBe(1);
    expect(await store.put(key, { n: 2 }, { version: 1 })).toBe(2);
    expect(await store.put(key, { n: 3 }, "any")).toBe(3);
    expect(await store.get(key)).toEqual({ ...key, version: 3, data: { n: 3 } });
  });

  test("a write whose condition does not hold changes nothing", async () => {
    const store = open();
    expect(await store.put(key, "x", { version: 1 })).toBeUndefined();
    expect(await store.get(key)).toBeUndefined();
    await store.put(key, "first", "any");
    expect(await store.put(key, "second", "absent")).toBeUndefined();
    expect(await store.put(key, "second", { version: 2 })).toBeUndefined();
    expect(await store.get(key)).toMatchObject({ version: 1, data: "first" });
  });

  test("a delete whose condition does not hold changes nothing", async () => {
    const store = open();
    await store.put(key, "x", "absent");
    expect(await store.delete(key, { version: 2 })).toBe(false);
    expect(await store.delete(key, "absent")).toBe(false);
    expect(await store.get(key)).toMatchObject({ version: 1 });
    expect(await store.delete(key, { version: 1 })).toBe(true);
    expect(await store.get(key)).toBeUndefined();
    expect(await store.delete(key, { version: 1 })).toBe(false);
    expect(await store.delete(key, "any")).toBe(true);
    expect(await store.put(key, "again", "absent")).toBe(1);
  });
}

function races(open: () => RecordStore): void {
  test("of 50 writers of one absent record exactly one wins", async () => {
    const store = open();
    const versions = await Promise.all(Array.from({ length: 50 }, (_, n) => store.put(key, { n }, "absent")));
    expect(versions.filter((version) => version === 1)).toHaveLength(1);
    expect(await store.get(key)).toMatchObject({ version: 1, data: { n: versions.indexOf(1) } });
  });

  test("of 50 writers over one version exactly one wins", async () => {
    const store = open();
    await store.put(key, "start", "absent");
    const versions = await Promise.all(
      Array.from({ length: 50 }, (_, n) => store.put(key, { n }, { version: 1 })),
    );
    expect(versions.filter((version) => version === 2)).toHaveLength(1);
  });

  test("counting by read and conditional write loses no count", async () => {
    const store = open();
    const add = async (): Promise<void> => {
      for (;;) {
        const found = await store.get(key);
        const next = Number(found?.data ?? 0) + 1;
        const condition = found === undefined ? "absent" : { version: found.version };
        if ((await store.put(key, next, condition)) !== undefined) return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, add));
    expect(await store.get(key)).toMatchObject({ version: 20, data: 20 });
  });
}

function queries(open: () => RecordStore): void {
  test("a query gives one partition in UTF-8 byte order of its sort keys", async () => {
    const store = open();
    const inOrder = ["a", "a-b", "a/b", "b", "é", "\u{ffff}", "\u{1f389}"];
    for (const sk of inOrder.toReversed()) await store.put({ pk: "p", sk }, sk, "any");
    await store.put({ pk: "p2", sk: "other" }, 1, "any");
    expect(await sortKeys(store)).toEqual(inOrder);
    expect(await sortKeys(store, { reverse: true })).toEqual(inOrder.toReversed());
    expect(await sortKeys(store, {}, "nothing")).toEqual([]);
  });

  test("prefix, after, limit and reverse work together", async () => {
    const store = open();
    for (const sk of ["a#1", "b#1", "b#2", "b#3", "b$", "c#1"]) await store.put({ pk: "p", sk }, sk, "any");
    expect(await sortKeys(store, { prefix: "b#" })).toEqual(["b#1", "b#2", "b#3"]);
    expect(await sortKeys(store, { prefix: "b#", after: "b#1" })).toEqual(["b#2", "b#3"]);
    expect(await sortKeys(store, { after: "b#3", limit: 1 })).toEqual(["b$"]);
    expect(await sortKeys(store, { prefix: "b#", limit: 2, reverse: true })).toEqual(["b#3", "b#2"]);
    expect(await sortKeys(store, { prefix: "b#", after: "b#1", reverse: true })).toEqual(["b#3", "b#2"]);
    expect(await sortKeys(store, { limit: 0 })).toEqual([]);
    expect(await sortKeys(store, { after: "a" })).toHaveLength(6);
  });

  test("a query of many pages gives each record once, in order", async () => {
    const store = open();
    const all = Array.from({ length: 700 }, (_, n) => `k${String(n).padStart(4, "0")}`);
    for (const sk of all) await store.put({ pk: "p", sk }, { sk }, "absent");
    expect(await sortKeys(store)).toEqual(all);
    expect(await sortKeys(store, { reverse: true })).toEqual(all.toReversed());
    expect(await sortKeys(store, { limit: 300 })).toEqual(all.slice(0, 300));
    expect(await sortKeys(store, { limit: 512, reverse: true })).toEqual(all.toReversed().slice(0, 512));
  });

  test("writing and deleting while a query runs is allowed", async () => {
    const store = open();
    for (let n = 0; n < 600; n += 1)
      await store.put({ pk: "p", sk: String(n).padStart(4, "0") }, n, "absent");
    const seen: string[] = [];
    for await (const record of store.query("p")) {
      seen.push(record.sk);
      await store.put({ pk: "p", sk: record.sk }, "seen", { version: record.version });
      if (record.sk === "0300") await store.delete({ pk: "p", sk: "0599" }, "any");
    }
    expect(seen.slice(0, 599)).toEqual(Array.from({ length: 599 }, (_, n) => String(n).padStart(4, "0")));
  });

  test("a prefix selects what a plain filter selects", async () => {
    const store = open();
    const text = fc.string({ unit: fc.constantFrom("a", "b", "\ud7ff", "\ue000", "\u{10ffff}", "z") });
    const sk = text.filter((each) => each !== "");
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(sk, { maxLength: 15 }), text, async (some, prefix) => {
        for (const each of some) await store.put({ pk: "p", sk: each }, 1, "any");
        const bytes = some.filter((each) => each.startsWith(prefix)).map((each) => Buffer.from(each));
        expect(await sortKeys(store, { prefix })).toEqual(bytes.sort(Buffer.compare).map(String));
        for (const each of some) await store.delete({ pk: "p", sk: each }, "any");
      }),
      { numRuns: 40 },
    );
  });
}

function values(open: () => RecordStore): void {
  test("any JSON value comes back as it was", async () => {
    const store = open();
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        await store.put(key, value, "any");
        expect(JSON.stringify((await store.get(key))?.data)).toBe(JSON.stringify(value));
      }),
      { numRuns: 40 },
    );
  });

  test("a stored record does not change with the object it came from", async () => {
    const store = open();
    const data = { list: [1] };
    await store.put(key, data, "any");
    data.list.push(2);
    expect((await store.get(key))?.data).toEqual({ list: [1] });
  });

  test("what has no JSON form is refused", async () => {
    const store = open();
    await expect(store.put(key, undefined, "any")).rejects.toMatchObject({ code: "invalid-input" });
  });

  test.each([
    [{ pk: "", sk: "x" }, "pk"],
    [{ pk: "x", sk: "" }, "sk"],
    [{ pk: "x", sk: "nul\0" }, "sk"],
    [{ pk: "half\udc00", sk: "x" }, "pk"],
    [{ pk: "x", sk: "ü".repeat(600) }, "sk"],
  ])("the record key %j is refused, naming its part", async (bad, part) => {
    const store = open();
    const refused = { code: "invalid-input", message: expect.stringContaining(`\`${part}\``) };
    await expect(store.put(bad, 1, "any")).rejects.toMatchObject(refused);
    await expect(store.get(bad)).rejects.toMatchObject(refused);
    await expect(store.delete(bad, "any")).rejects.toMatchObject(refused);
  });
}
