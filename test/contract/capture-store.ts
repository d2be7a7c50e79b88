import type { CaptureStore } from "@tracemill/core/capture/capture-store.ts";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { capturedExchange } from "../fakes/captured.ts";
import { gather } from "../fakes/gather.ts";

export interface OpenedCaptures {
  store: CaptureStore;
  /** Another process's view of the same place. */
  another(): CaptureStore;
  close(): Promise<void>;
}

/** What every capture store promises. `open` gives an empty one each time. */
export function captureStoreContract(name: string, open: () => Promise<OpenedCaptures>): void {
  describe(`${name}: capture store`, () => {
    let opened: OpenedCaptures;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());

    keeping(() => opened);
    counting(() => opened);
    sharing(() => opened);
  });
}

const idsOf = async (store: CaptureStore, sessionId: string): Promise<string[]> =>
  (await gather(store.exchanges(sessionId))).map(({ id }) => id);

/** Appends without waiting for each, as a proxy does. */
async function appendAll(store: CaptureStore, exchanges: readonly HttpExchange[]): Promise<void> {
  const all = Promise.all(exchanges.map((exchange) => store.append(exchange)));
  await gather(store.sessions());
  await all;
}

function keeping(opened: () => OpenedCaptures): void {
  const awkward: Partial<HttpExchange>[] = [
    { response: { status: 200, headers: {}, body: { _events: [{ type: "a", n: 1 }, "[DONE]", "1", null] } } },
    { response: { status: 200, headers: {}, body: { _raw: "event: x\ndata: 1\n\n" } } },
    { response: { status: 500, headers: { "set-header": ["a", "b"] }, body: "a JSON string" } },
    { response: { status: 204, headers: {} }, request: { headers: {} } },
    { response: { status: 200, headers: {}, body: null }, firstByteAt: "2026-01-01T12:00:00.500Z" },
    { response: { status: 200, headers: {}, body: { _base64: "AAEC" } }, method: "GET" },
    { request: { headers: {}, body: { text: "\0 \ud800 \u2028 “quoted” 🙂" } } },
    { request: { headers: {}, body: { _events: [] } }, error: "the client left" },
  ];

  test.each(awkward.map((changes) => [changes]))("an exchange comes back as it was: %j", async (changes) => {
    const { store } = opened();
    const exchange = capturedExchange("one", "x", 0, changes);
    await appendAll(store, [exchange]);
    expect(await gather(store.exchanges("one"))).toEqual([exchange]);
  });

  test("one without an answer comes back too", async () => {
    const { store } = opened();
    const { response: _, ...exchange } = capturedExchange("one", "x", 0, { error: "the upstream broke off" });
    await appendAll(store, [exchange]);
    expect(await gather(store.exchanges("one"))).toEqual([exchange]);
  });

  test("exchanges come in the order in which they ended, more than a page of them", async () => {
    const { store } = opened();
    const ids = Array.from({ length: 100 }, (_, index) => `x${index}`);
    await appendAll(
      store,
      ids.map((id, index) => capturedExchange("one", id, index)),
    );
    expect(await idsOf(store, "one")).toEqual(ids);
  });

  test("an exchange that is appended again is kept once", async () => {
    const { store } = opened();
    const exchange = capturedExchange("one", "x");
    await appendAll(store, [exchange, exchange]);
    await appendAll(store, [exchange]);
    expect(await idsOf(store, "one")).toEqual(["x"]);
    expect((await store.find("one"))?.exchanges).toBe(1);
  });

  test.each(["../up", "a/b", "", ".hidden", "-flag", "x".repeat(200)])(
    "a session called %j is refused, and named",
    async (name) => {
      const { store } = opened();
      await expect(store.append(capturedExchange(name, "x"))).rejects.toMatchObject({
        code: "invalid-input",
        message: expect.stringContaining(JSON.stringify(name)),
      });
      expect(await gather(store.sessions())).toEqual([]);
    },
  );
}

function counting(opened: () => OpenedCaptures): void {
  test("a session says when it was, which models answered, what failed, was used and taken out", async () => {
    const { store } = opened();
    const failed = capturedExchange("one", "b", 5, { error: "cut", model: "other" });
    const { protocol: _, model: _model, usage: _usage, ...other } = capturedExchange("one", "c", 3);
    const all = Promise.all([
      store.append({ ...other, response: { status: 404, headers: {} } }),
      store.append(capturedExchange("one", "a", 2), { email: 1 }),
      store.append(failed, { email: 2, "openai-key": 1 }),
    ]);
    expect(await store.find("one")).toEqual({
      schemaVersion: 1,
      sessionId: "one",
      startedAt: "2026-01-01T12:00:02.000Z",
      endedAt: "2026-01-01T12:00:06.000Z",
      exchanges: 3,
      modelExchanges: 2,
      failed: 1,
      models: ["gpt-test", "other"],
      usage: { promptTokens: 20, completionTokens: 10, cachedTokens: 0 },
      redactions: { email: 3, "openai-key": 1 },
    });
    await all;
  });

  test("sessions are listed by their beginning, and one that nobody made is not there", async () => {
    const { store } = opened();
    await appendAll(store, [
      capturedExchange("late", "a", 9),
      capturedExchange("early", "b", 1),
      capturedExchange("late", "c", 10),
    ]);
    expect((await gather(store.sessions())).map(({ sessionId }) => sessionId)).toEqual(["early", "late"]);
    expect(await store.find("lat")).toBeUndefined();
    expect(await idsOf(store, "lat")).toEqual([]);
  });
}

function sharing(opened: () => OpenedCaptures): void {
  test("a hundred sessions at once stay apart", async () => {
    const { store } = opened();
    const exchanges = Array.from({ length: 1_000 }, (_, index) =>
      capturedExchange(`s${index % 100}`, `x${index}`, index),
    );
    await appendAll(store, exchanges);
    for (const session of [0, 42, 99]) {
      const own = exchanges.filter(({ sessionId }) => sessionId === `s${session}`);
      expect(await gather(store.exchanges(`s${session}`))).toEqual(own);
    }
    expect(await gather(store.sessions())).toHaveLength(100);
  });

  test("what was kept is there for the next process, which may go on with the session, again and again", async () => {
    const { store, another } = opened();
    await appendAll(store, [capturedExchange("one", "a", 0)]);
    await store[Symbol.asyncDispose]();
    for (const [index, id] of ["b", "c", "d"].entries()) {
      const next = another();
      await appendAll(next, [capturedExchange("one", id, index + 1)]);
      await next[Symbol.asyncDispose]();
    }
    const last = another();
    expect(await idsOf(last, "one")).toEqual(["a", "b", "c", "d"]);
    expect((await last.find("one"))?.exchanges).toBe(4);
    await last[Symbol.asyncDispose]();
  });

  test("two processes write to one session at once, and nothing is lost", async () => {
    const { store, another } = opened();
    const other = another();
    const ids = (from: string) => Array.from({ length: 40 }, (_, index) => `${from}${index}`);
    const write = (to: CaptureStore, from: string) =>
      appendAll(
        to,
        ids(from).map((id, index) => capturedExchange("one", id, index)),
      );
    await Promise.all([write(store, "a"), write(other, "b")]);
    await Promise.all([store[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
    const after = another();
    const found = await idsOf(after, "one");
    expect(found.toSorted()).toEqual([...ids("a"), ...ids("b")].toSorted());
    expect(found.filter((id) => id.startsWith("b"))).toEqual(ids("b"));
    expect((await after.find("one"))?.exchanges).toBe(80);
    await after[Symbol.asyncDispose]();
  });
}
