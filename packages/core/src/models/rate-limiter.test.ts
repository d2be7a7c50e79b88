import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { manualClock } from "../../../../test/fakes/manual-clock.ts";
import { RateLimiter } from "./rate-limiter.ts";

const { signal: never } = new AbortController();

describe("requests a minute", () => {
  test("come ten seconds' worth at once, then as the minute goes", async () => {
    const clock = fakeClock();
    const begin = clock.now();
    const limiter = new RateLimiter({ requestsPerMinute: 60 }, clock);
    const at: number[] = [];
    for (let n = 0; n < 14; n += 1) {
      await limiter.acquire(0, never);
      at.push(clock.now() - begin);
    }
    expect(at.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 0));
    expect(at.slice(10)).toEqual([1_000, 2_000, 3_000, 4_000]);
  });

  test("without a limit nobody waits", async () => {
    const clock = fakeClock();
    const limiter = new RateLimiter({}, clock);
    for (let n = 0; n < 100; n += 1) await limiter.acquire(1_000_000, never);
    expect(clock.sleeps).toEqual([]);
  });
});

describe("tokens a minute", () => {
  test("are reserved by estimate and corrected by what was used", async () => {
    const clock = fakeClock();
    const limiter = new RateLimiter({ tokensPerMinute: 60_000 }, clock);
    const permit = await limiter.acquire(10_000, never);
    permit.settle(2_000);
    await limiter.acquire(8_000, never);
    expect(clock.sleeps).toEqual([]);
    await limiter.acquire(5_000, never);
    expect(clock.sleeps).toEqual([5_000]);
  });

  test("that a request uses beyond its estimate are paid back by those after it", async () => {
    const clock = fakeClock();
    const limiter = new RateLimiter({ tokensPerMinute: 60_000 }, clock);
    (await limiter.acquire(1_000, never)).settle(40_000);
    await limiter.acquire(1_000, never);
    expect(clock.sleeps).toEqual([31_000]);
  });

  test("let a request through that is larger than a minute's worth", async () => {
    const clock = fakeClock();
    const limiter = new RateLimiter({ tokensPerMinute: 600 }, clock);
    await limiter.acquire(6_000, never);
    await limiter.acquire(100, never);
    expect(clock.sleeps).toEqual([600_000]);
  });

  test("over an hour are never more than the limit and one burst", async () => {
    const amounts = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 50, maxLength: 150 });
    await fc.assert(
      fc.asyncProperty(amounts, fc.integer({ min: 1_000, max: 100_000 }), async (asked, perMinute) => {
        const clock = fakeClock();
        const begin = clock.now();
        const limiter = new RateLimiter({ tokensPerMinute: perMinute }, clock);
        let sent = 0;
        for (const amount of asked) {
          await limiter.acquire(amount, never);
          const allowed = ((clock.now() - begin) / 60_000 + 1 / 6) * perMinute;
          expect(sent).toBeLessThanOrEqual(allowed + 1);
          sent += amount;
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("a provider that wants a pause", () => {
  test("gets it from everybody, and first come is first served after it", async () => {
    const clock = manualClock();
    const limiter = new RateLimiter({}, clock);
    limiter.pause(5_000);
    const order: number[] = [];
    const all = [1, 2, 3].map((n) => limiter.acquire(0, never).then(() => order.push(n)));
    await clock.advance(4_999);
    expect(order).toEqual([]);
    limiter.pause(3_000);
    await clock.advance(2_999);
    expect(order).toEqual([]);
    await clock.advance(1);
    await Promise.all(all);
    expect(order).toEqual([1, 2, 3]);
  });

  test("does not hold those who stop waiting, nor those behind them", async () => {
    const clock = manualClock();
    const limiter = new RateLimiter({ requestsPerMinute: 6 }, clock);
    await limiter.acquire(0, never);
    const stopping = new AbortController();
    const first = limiter.acquire(0, stopping.signal);
    const second = limiter.acquire(0, stopping.signal);
    const third = limiter.acquire(0, never);
    await expect.poll(() => clock.sleepers).toBe(1);
    stopping.abort(new Error("enough"));
    await expect(first).rejects.toThrow("enough");
    await expect(second).rejects.toThrow("enough");
    await clock.advance(10_000);
    await expect(third).resolves.toBeDefined();
  });
});
