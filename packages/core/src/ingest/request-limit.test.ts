import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Entry, RequestLimit } from "./request-limit.ts";

/** Lets out as many as may go, until one has to wait. */
async function fill(limit: RequestLimit): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (;;) {
    const stop = new AbortController();
    const entering = limit.enter(stop.signal);
    const next = await Promise.race([entering, settled()]);
    if (next === undefined) {
      stop.abort(new Error("enough"));
      await expect(entering).rejects.toThrow("enough");
      return entries;
    }
    entries.push(next);
  }
}

/** Resolves once everything that can go on has gone on. */
const settled = (): Promise<undefined> => new Promise((resolve) => setImmediate(() => resolve(undefined)));

async function openAtOnce(limit: RequestLimit): Promise<number> {
  const entries = await fill(limit);
  for (const entry of entries) limit.leave(entry, false);
  return entries.length;
}

describe("requests at once", () => {
  test("begin with eight, one more after each round of answers, up to the most", async () => {
    const limit = new RequestLimit(11);
    const sizes = [];
    for (let round = 0; round < 5; round += 1) sizes.push(await openAtOnce(limit));
    expect(sizes).toEqual([8, 9, 10, 11, 11]);
  });

  test("are never more than the most, even if that is one", async () => {
    expect(await openAtOnce(new RequestLimit(1))).toBe(1);
    expect(await openAtOnce(new RequestLimit(3))).toBe(3);
  });

  test("are halved when the server has too many, once for a whole crowd of such answers", async () => {
    const limit = new RequestLimit(32);
    for (const entry of await fill(limit)) limit.leave(entry, true);
    const second = await fill(limit);
    expect(second).toHaveLength(4);
    for (const entry of second) limit.leave(entry, true);
    expect(await openAtOnce(limit)).toBe(2);
  });

  test("go on, whatever the answers are: none waits for ever, and no more than the most are open", async () => {
    const answers = fc.array(fc.boolean(), { minLength: 1, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(answers, fc.integer({ min: 1, max: 40 }), async (tooMany, most) => {
        const limit = new RequestLimit(most);
        let open = 0;
        let mostOpen = 0;
        await Promise.all(
          tooMany.map(async (isTooMany) => {
            const entry = await limit.enter();
            open += 1;
            mostOpen = Math.max(mostOpen, open);
            await Promise.resolve();
            open -= 1;
            limit.leave(entry, isTooMany);
          }),
        );
        expect(mostOpen).toBeLessThanOrEqual(most);
        expect(open).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
