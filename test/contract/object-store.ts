import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { collect } from "@tracemill/core/streams.ts";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { gather } from "../fakes/gather.ts";

export interface OpenedObjectStore {
  store: ObjectStore;
  close(): Promise<void>;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

async function* chunks(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function* breaksAfter(parts: number, size = 300_000): AsyncGenerator<Uint8Array> {
  for (let part = 0; part < parts; part += 1) yield Buffer.alloc(size, part);
  throw new Error("the source broke");
}

async function textOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const body = await store.get(key);
  return body === undefined ? undefined : (await collect(body)).toString("utf8");
}

async function keysOf(store: ObjectStore, prefix = ""): Promise<string[]> {
  return (await gather(store.list(prefix))).map(({ key }) => key);
}

/** What every object store promises. `open` gives an empty store each time. */
export function objectStoreContract(name: string, open: () => Promise<OpenedObjectStore>): void {
  describe(`${name}: object store`, () => {
    let opened: OpenedObjectStore;
    let store: ObjectStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    writing(() => store);
    reading(() => store);
    listing(() => store);
    keys(() => store);
  });
}

function writing(open: () => ObjectStore): void {
  test("what was put comes back, small or streamed", async () => {
    const store = open();
    await store.put("a/small", bytes("one"));
    await store.put("a/streamed", chunks(bytes("two "), bytes("three")));
    expect(await textOf(store, "a/small")).toBe("one");
    expect(await textOf(store, "a/streamed")).toBe("two three");
  });

  test("a second put replaces the object", async () => {
    const store = open();
    await store.put("key", bytes("a longer first text"));
    await store.put("key", bytes("second"));
    expect(await textOf(store, "key")).toBe("second");
    expect(await store.head("key")).toEqual({ key: "key", size: 6 });
  });

  test("putIfAbsent writes once and leaves what is there", async () => {
    const store = open();
    expect(await store.putIfAbsent("key", bytes("first"))).toEqual({ created: true });
    expect(await store.putIfAbsent("key", bytes("second"))).toEqual({ created: false });
    expect(await store.putIfAbsent("key", chunks(bytes("third")))).toEqual({ created: false });
    expect(await textOf(store, "key")).toBe("first");
  });

  test.each([
    ["small", (index: number) => bytes(`writer ${index}`)],
    ["streamed", (index: number) => chunks(bytes("writer "), bytes(String(index)))],
  ])("of 50 writers of one absent key exactly one wins (%s)", async (_, bodyOf) => {
    const store = open();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_unused, index) => store.putIfAbsent("contended", bodyOf(index))),
    );
    const winners = results.flatMap(({ created }, index) => (created ? [index] : []));
    expect(winners).toHaveLength(1);
    expect(await textOf(store, "contended")).toBe(`writer ${winners[0]}`);
  });

  test("a stream that breaks leaves nothing, and what was there stays", async () => {
    const store = open();
    await store.put("old", bytes("kept"));
    await expect(store.put("old", breaksAfter(3))).rejects.toThrow("the source broke");
    await expect(store.putIfAbsent("new", breaksAfter(3))).rejects.toThrow("the source broke");
    await expect(store.putIfAbsent("new-small", breaksAfter(1, 10))).rejects.toThrow("the source broke");
    expect(await textOf(store, "old")).toBe("kept");
    expect(await keysOf(store)).toEqual(["old"]);
  });

  test("readers see the old object or the new one, never a mixture", async () => {
    const store = open();
    const body = (letter: string): Uint8Array => Buffer.alloc(100_000, letter);
    await store.put("key", body("a"));
    const writes = async (): Promise<void> => {
      for (const letter of "bcdefgh") await store.put("key", chunks(body(letter)));
    };
    const reads = async (): Promise<string[]> => {
      const seen: string[] = [];
      for (let turn = 0; turn < 20; turn += 1) seen.push((await textOf(store, "key")) ?? "");
      return seen;
    };
    const [seen] = await Promise.all([reads(), writes()]);
    for (const text of seen) expect(text).toBe((text[0] ?? "").repeat(100_000));
  });

  test("deleted objects are gone, and deleting nothing is silent", async () => {
    const store = open();
    await store.put("a/b", bytes("x"));
    await store.delete("a/b");
    await store.delete("a/b");
    await store.delete("a");
    expect(await store.get("a/b")).toBeUndefined();
    expect(await store.putIfAbsent("a/b", bytes("again"))).toEqual({ created: true });
  });
}

function reading(open: () => ObjectStore): void {
  test("what is absent is undefined", async () => {
    const store = open();
    await store.put("folder/key", bytes("x"));
    expect(await store.get("absent")).toBeUndefined();
    expect(await store.head("absent")).toBeUndefined();
    expect(await store.get("folder")).toBeUndefined();
    expect(await store.head("folder")).toBeUndefined();
    expect(await store.get("folder/key/deeper")).toBeUndefined();
  });

  test("empty objects are objects", async () => {
    const store = open();
    await store.put("empty", new Uint8Array(0));
    await store.put("empty-stream", chunks());
    expect(await textOf(store, "empty")).toBe("");
    expect(await store.head("empty-stream")).toEqual({ key: "empty-stream", size: 0 });
    expect(
      await collect((await store.get("empty", { range: { start: 0, end: 9 } })) ?? chunks()),
    ).toHaveLength(0);
  });

  test("a range has its start and not its end, cut to what is there", async () => {
    const store = open();
    await store.put("key", bytes("0123456789"));
    const range = async (start: number, end?: number): Promise<string> => {
      const body = await store.get("key", { range: end === undefined ? { start } : { start, end } });
      return (await collect(body ?? chunks())).toString();
    };
    expect(await range(2, 5)).toBe("234");
    expect(await range(7)).toBe("789");
    expect(await range(8, 100)).toBe("89");
    expect(await range(4, 4)).toBe("");
    expect(await range(10)).toBe("");
    expect(await range(50, 60)).toBe("");
    await expect(range(-1, 2)).rejects.toMatchObject({ code: "invalid-input" });
    await expect(range(3, 2)).rejects.toMatchObject({ code: "invalid-input" });
  });

  test("objects of megabytes come back whole, and their ranges too", async () => {
    const store = open();
    const part = (index: number): Uint8Array => Buffer.alloc(400_000, index + 1);
    await store.put("large", chunks(...Array.from({ length: 12 }, (_, index) => part(index))));
    expect(await store.head("large")).toEqual({ key: "large", size: 4_800_000 });
    expect(await collect((await store.get("large")) ?? chunks())).toHaveLength(4_800_000);
    const middle = await store.get("large", { range: { start: 399_999, end: 1_200_001 } });
    const read = await collect(middle ?? chunks());
    expect([read.length, read[0], read[1], read.at(-1)]).toEqual([800_002, 1, 2, 4]);
  });

  test("any bytes come back as they were", async () => {
    const store = open();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 500 }), { maxLength: 5 }), async (parts) => {
        await store.put("any", chunks(...parts));
        expect(await collect((await store.get("any")) ?? chunks())).toEqual(Buffer.concat(parts));
      }),
      { numRuns: 30 },
    );
  });
}

function listing(open: () => ObjectStore): void {
  test("a list is in UTF-8 byte order of the whole keys", async () => {
    const store = open();
    const keysInOrder = ["a-b", "a/b", "a/b-c/d", "a/b.c", "a/é", "a0", "\u{ffff}x", "\u{1f389}"];
    for (const key of keysInOrder.toReversed()) await store.put(key, bytes(key));
    expect(await keysOf(store)).toEqual(keysInOrder);
  });

  test("a prefix may end anywhere in a key", async () => {
    const store = open();
    for (const key of ["runs/1/a", "runs/1/b/c", "runs/10/a", "runs/2", "run"])
      await store.put(key, bytes("x"));
    expect(await keysOf(store, "runs/1")).toEqual(["runs/1/a", "runs/1/b/c", "runs/10/a"]);
    expect(await keysOf(store, "runs/1/")).toEqual(["runs/1/a", "runs/1/b/c"]);
    expect(await keysOf(store, "runs/1/b/c")).toEqual(["runs/1/b/c"]);
    expect(await keysOf(store, "runs/1/b/c/d")).toEqual([]);
    expect(await keysOf(store, "nothing/")).toEqual([]);
  });

  test("a list gives sizes, and an empty store an empty list", async () => {
    const store = open();
    expect(await keysOf(store)).toEqual([]);
    await store.put("a", bytes("12345"));
    expect(await gather(store.list(""))).toEqual([{ key: "a", size: 5 }]);
  });

  test("any set of keys is listed in byte order", async () => {
    const store = open();
    const segment = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }).filter(isPlainSegment);
    const key = fc.tuple(segment, segment).map(([a, b]) => `${a}/${b}`);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key, { maxLength: 12 }), async (some) => {
        for (const each of some) await store.put(each, bytes(each));
        const expected = some
          .map((each) => Buffer.from(each))
          .sort(Buffer.compare)
          .map(String);
        expect(await keysOf(store)).toEqual(expected);
        for (const each of some) await store.delete(each);
      }),
      { numRuns: 30 },
    );
  });
}

function isPlainSegment(text: string): boolean {
  return !/[/\0]/.test(text) && text.isWellFormed() && ![".", "..", ".tmp"].includes(text.toLowerCase());
}

function keys(open: () => ObjectStore): void {
  test("keys may hold spaces, dots and any script", async () => {
    const store = open();
    const some = ["with space/é ü.txt", "日本語/🎉", "a/..b/c..", "quote\"'`$(x)/*?", "a\nb"];
    for (const key of some) await store.put(key, bytes(key));
    for (const key of some) expect(await textOf(store, key)).toBe(key);
  });

  test.each([
    "",
    "/absolute",
    "a//b",
    "a/",
    "../up",
    "a/../b",
    "a/./b",
    "nul\0",
    ".tmp/x",
    "half\ud800",
    `long/${"ü".repeat(130)}`,
    Array.from({ length: 200 }, () => "deeper").join("/"),
  ])("the key %j is refused before anything happens", async (key) => {
    const store = open();
    const refused = { code: "invalid-input", message: expect.stringContaining("object key") };
    await expect(store.put(key, bytes("x"))).rejects.toMatchObject(refused);
    await expect(store.putIfAbsent(key, bytes("x"))).rejects.toMatchObject(refused);
    await expect(store.get(key)).rejects.toMatchObject(refused);
    await expect(store.head(key)).rejects.toMatchObject(refused);
    await expect(store.delete(key)).rejects.toMatchObject(refused);
    expect(await keysOf(store)).toEqual([]);
  });

  test("a prefix that leaves the store is refused", async () => {
    await expect(keysOf(open(), "../")).rejects.toMatchObject({ code: "invalid-input" });
    await expect(keysOf(open(), "/etc/")).rejects.toMatchObject({ code: "invalid-input" });
  });
}
