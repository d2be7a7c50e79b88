import { expect, test } from "vitest";
import { capturedExchange } from "../../../../test/fakes/captured.ts";
import { gather } from "../../../../test/fakes/gather.ts";
import { type ManualClock, manualClock } from "../../../../test/fakes/manual-clock.ts";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import { TracemillError } from "../errors.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { readJsonLines } from "../stored-json.ts";
import { openObjectCaptures } from "./object-captures.ts";

const keysOf = async (objects: ObjectStore): Promise<string[]> =>
  (await gather(objects.list("captures/"))).map(({ key }) => key);

function opened(objects: ObjectStore = memoryObjectStore(), writer = "W1") {
  const clock = manualClock();
  const trouble: string[] = [];
  const onTrouble = (message: string): void => {
    trouble.push(message);
  };
  return { store: openObjectCaptures({ objects, clock, writer, onTrouble }), objects, clock, trouble };
}

/** Compression takes threads, and so some real time: lets time pass until it is so. */
async function passUntil(clock: ManualClock, isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    await clock.advance(2_000);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

test("a process that is killed loses what ended within two seconds, and nothing else", async () => {
  const { store, objects, clock } = opened();
  const kept = store.append(capturedExchange("one", "a"));
  await clock.advance(2_000);
  await kept;
  void store.append(capturedExchange("one", "b"));
  await clock.advance(1_000);
  // Killed here: nothing more is done. The next process finds the first exchange, and the session's numbers.
  const { store: next } = opened(objects, "W2");
  expect((await gather(next.exchanges("one"))).map(({ id }) => id)).toEqual(["a"]);
  expect((await next.find("one"))?.exchanges).toBe(1);
});

test("a session that has ended is one object of all its exchanges, and what is known of it", async () => {
  const { store, objects, clock } = opened();
  for (const id of ["a", "b", "c"]) {
    const kept = store.append(capturedExchange("one", id));
    await clock.advance(2_000);
    await kept;
  }
  expect(await keysOf(objects)).toContain("captures/one/part-W1-00003.jsonl.zst");
  await store[Symbol.asyncDispose]();
  expect(await keysOf(objects)).toEqual(["captures/one/exchanges.jsonl.zst", "captures/one/session-W1.json"]);
  const lines = await gather(readJsonLines(objects, "captures/one/exchanges.jsonl.zst"));
  expect(lines).toEqual(["a", "b", "c"].map((id) => capturedExchange("one", id)));
});

test("a session without an exchange for ten minutes has ended, and may go on", async () => {
  const { store, objects, clock } = opened();
  const ended = "captures/one/exchanges.jsonl.zst,captures/one/session-W1.json";
  const begunAt = clock.now();
  await Promise.all([
    store.append(capturedExchange("one", "a")),
    passUntil(clock, async () => (await keysOf(objects)).join() === ended),
  ]);
  expect(clock.now() - begunAt).toBeGreaterThanOrEqual(600_000);
  await passUntil(clock, async () => clock.sleepers === 0);
  const kept = store.append(capturedExchange("one", "b", 900));
  await clock.advance(2_000);
  await kept;
  await store[Symbol.asyncDispose]();
  const { store: next } = opened(objects, "W2");
  expect((await gather(next.exchanges("one"))).map(({ id }) => id)).toEqual(["a", "b"]);
  expect((await next.find("one"))?.exchanges).toBe(2);
});

test("an exchange that is in a part and in the joined object counts once", async () => {
  const objects = memoryObjectStore();
  const dies: ObjectStore = {
    ...objects,
    delete: () =>
      Promise.reject(new TracemillError("storage-failed", "killed before the parts were deleted")),
  };
  const { store, clock } = opened(dies);
  const kept = store.append(capturedExchange("one", "a"));
  await clock.advance(2_000);
  await kept;
  await expect(store[Symbol.asyncDispose]()).rejects.toThrow("killed");
  expect((await keysOf(objects)).filter((key) => key.endsWith(".zst"))).toHaveLength(2);
  const { store: next } = opened(objects, "W2");
  expect((await gather(next.exchanges("one"))).map(({ id }) => id)).toEqual(["a"]);
});

test("what cannot be written waits, and is written when it can be", async () => {
  const objects = memoryObjectStore();
  let fails = true;
  const put: ObjectStore["put"] = (key, body) =>
    fails ? Promise.reject(new TracemillError("storage-failed", "no network")) : objects.put(key, body);
  const { store, clock, trouble } = opened({ ...objects, put });
  const kept = store.append(capturedExchange("one", "a"));
  await passUntil(clock, async () => trouble.length >= 2);
  expect(trouble.slice(0, 2)).toEqual(Array(2).fill("captures wait to be written: no network"));
  fails = false;
  await Promise.all([kept, passUntil(clock, async () => (await keysOf(objects)).length === 2)]);
  expect((await gather(store.exchanges("one"))).map(({ id }) => id)).toEqual(["a"]);
});

test("what can never be written is said to be lost at the end", async () => {
  const put = () => Promise.reject(new TracemillError("storage-failed", "no such bucket"));
  const { store } = opened({ ...memoryObjectStore(), put });
  const lost = expect(store.append(capturedExchange("one", "a"))).rejects.toThrow("no such bucket");
  await expect(store[Symbol.asyncDispose]()).rejects.toThrow("no such bucket");
  await lost;
});

test("when more waits than may, exchanges are refused", async () => {
  const objects = memoryObjectStore();
  const put = () => Promise.reject(new TracemillError("storage-failed", "no network"));
  const store = openObjectCaptures({
    objects: { ...objects, put },
    clock: manualClock(),
    writer: "W1",
    onTrouble: () => {},
    heldMiB: 1,
  });
  const large = { request: { headers: {}, body: "x".repeat(2 ** 19) } };
  const waiting = Promise.allSettled([store.append(capturedExchange("one", "a", 0, large))]);
  await expect(store.append(capturedExchange("two", "b", 0, large))).rejects.toMatchObject({
    code: "storage-failed",
    message: expect.stringContaining("1 MiB"),
  });
  await expect(store[Symbol.asyncDispose]()).rejects.toThrow("no network");
  await waiting;
});
