import { setTimeout as sleep } from "node:timers/promises";
import type { QueueMessage, WorkQueue } from "@tracemill/core/ports/work-queue.ts";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

export interface QueueSettings {
  /** A message that was handed out and not acknowledged comes back after that time. */
  visibleAfterMs: number;
  /** Handed out that often, it goes to the dead letters. */
  maxReceives: number;
}

export interface OpenedQueue {
  queue: WorkQueue;
  deadLetters: WorkQueue;
  close(): Promise<void>;
}

/** What every work queue promises. `open` gives an empty queue with these settings each time. */
export function workQueueContract(
  name: string,
  open: (settings: QueueSettings) => Promise<OpenedQueue>,
): void {
  describe(`${name}: work queue`, () => {
    let opened: OpenedQueue;
    beforeEach(async () => {
      opened = await open({ visibleAfterMs: 1_000, maxReceives: 2 });
    });
    afterEach(() => opened.close());

    handing(() => opened);
    refusing(() => opened);
  });
}

const take = (queue: WorkQueue, waitMs = 0): Promise<QueueMessage[]> => queue.receive({ max: 10, waitMs });

function handing(open: () => OpenedQueue): void {
  test("a message comes as it was sent, once acknowledged never again", async () => {
    const { queue } = open();
    await queue.send({ source: { name: "prod" }, hop: 1 });
    const [message, ...others] = await take(queue, 1_000);
    expect(message).toMatchObject({ body: { source: { name: "prod" }, hop: 1 }, receiveCount: 1 });
    expect(others).toEqual([]);
    await message?.acknowledge();
    await message?.acknowledge();
    await sleep(1_100);
    expect(await take(queue)).toEqual([]);
  });

  test("any JSON comes back as it was", async () => {
    const { queue } = open();
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (body) => {
        await queue.send(body);
        const [message] = await take(queue, 1_000);
        expect(JSON.stringify(message?.body)).toBe(JSON.stringify(body));
        await message?.acknowledge();
      }),
      { numRuns: 20 },
    );
    await queue.send("\u{fffe}\u{ffff}\u{0}\u{1f389}\ud800");
    expect((await take(queue, 1_000))[0]?.body).toBe("\u{fffe}\u{ffff}\u{0}\u{1f389}\ud800");
  });

  test("of many messages none is lost and none is handed to two at a time", async () => {
    const { queue } = open();
    const sent = Array.from({ length: 25 }, (_, n) => n);
    for (const n of sent) await queue.send({ n });
    const seen: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (;;) {
        const messages = await queue.receive({ max: 3, waitMs: 0 });
        if (messages.length === 0) return;
        expect(messages.length).toBeLessThanOrEqual(3);
        for (const { body, acknowledge } of messages) {
          seen.push(body);
          await acknowledge();
        }
      }
    };
    await Promise.all([worker(), worker(), worker()]);
    expect(seen.map((body) => (body as { n: number }).n).sort((a, b) => a - b)).toEqual(sent);
  });

  test("what is not acknowledged comes back, counted; after that it is a dead letter", async () => {
    const { queue, deadLetters } = open();
    await queue.send("stubborn");
    expect(await take(queue, 1_000)).toHaveLength(1);
    expect(await take(queue)).toEqual([]);
    await sleep(1_100);
    expect((await take(queue, 1_000))[0]).toMatchObject({ body: "stubborn", receiveCount: 2 });
    await sleep(1_100);
    expect(await take(queue)).toEqual([]);
    expect((await take(deadLetters, 1_000))[0]).toMatchObject({ body: "stubborn" });
  });

  test("a released message is there at once, or after the time that was asked for", async () => {
    const { queue } = open();
    await queue.send("again");
    await (await take(queue, 1_000))[0]?.release();
    const [second] = await take(queue, 1_000);
    expect(second).toMatchObject({ body: "again", receiveCount: 2 });
    await second?.acknowledge();
    await second?.release();
    expect(await take(queue)).toEqual([]);
  });

  test("a message may be sent for later", async () => {
    const { queue } = open();
    await queue.send("later", { delayMs: 1_000 });
    expect(await take(queue)).toEqual([]);
    await sleep(1_100);
    expect((await take(queue, 1_000))[0]).toMatchObject({ body: "later" });
  });

  test("who waits gets a message as soon as it comes, and stops waiting when told", async () => {
    const { queue } = open();
    const waiting = take(queue, 5_000);
    await queue.send("come");
    expect((await waiting)[0]).toMatchObject({ body: "come" });
    const stop = new AbortController();
    const stopped = queue.receive({ max: 1, waitMs: 20_000, signal: stop.signal });
    stop.abort(new Error("shutting down"));
    await expect(stopped).rejects.toThrow("shutting down");
  });
}

function refusing(open: () => OpenedQueue): void {
  test("256 KiB are sent, one byte more is refused", async () => {
    const { queue } = open();
    await queue.send("x".repeat(256 * 1024 - 2));
    await expect(queue.send("x".repeat(256 * 1024 - 1))).rejects.toMatchObject({
      code: "invalid-input",
      message: expect.stringContaining("262144"),
    });
    expect(await take(queue, 1_000)).toHaveLength(1);
  });

  test("what has no JSON form, and a batch outside 1 to 10, are refused", async () => {
    const { queue } = open();
    await expect(queue.send(undefined)).rejects.toMatchObject({ code: "invalid-input" });
    for (const max of [0, 11, 1.5]) {
      await expect(queue.receive({ max, waitMs: 0 })).rejects.toMatchObject({ code: "invalid-input" });
    }
  });
}
