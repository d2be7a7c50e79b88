import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { manualClock } from "../../../../test/fakes/manual-clock.ts";
import type { Clock } from "../ports/clock.ts";
import type { ModelAnswer } from "../ports/model-client.ts";
import { type AskOptions, type Attempt, askPatiently } from "./ask.ts";
import { RateLimiter } from "./rate-limiter.ts";

const answer: ModelAnswer = {
  text: "Hi",
  toolCalls: [],
  finish: "stop",
  usage: { promptTokens: 900, completionTokens: 100, cachedTokens: 0 },
};
const answered: Attempt = { kind: "answered", answer };

function ask(
  attempt: () => Promise<Attempt>,
  clock: Clock,
  limiter: RateLimiter,
  more: Partial<AskOptions> = {},
): Promise<ModelAnswer> {
  const options: AskOptions = {
    where: "m at home",
    tokens: 1_000,
    maxRetries: 8,
    signal: new AbortController().signal,
    clean: (text) => text.replaceAll("sk-1", "***"),
    ...more,
  };
  return askPatiently(attempt, options, { clock, random: () => 1, limiter });
}

describe("asking patiently", () => {
  test("waits longer each time, and gives up after so many tries", async () => {
    const clock = fakeClock();
    const busy = async (): Promise<Attempt> => ({ kind: "again", reason: " is busy with sk-1" });
    const work = ask(busy, clock, new RateLimiter({}, clock), { maxRetries: 3 });
    await expect(work).rejects.toMatchObject({
      code: "model-failed",
      retryable: true,
      message: "m at home is busy with *** (asked 4 times)",
    });
    expect(clock.sleeps).toEqual([500, 1_000, 2_000]);
  });

  test("is left alone by all when one is told to wait", async () => {
    const clock = manualClock();
    const limiter = new RateLimiter({}, clock);
    const sent: string[] = [];
    const throttledOnce = async (): Promise<Attempt> => {
      sent.push("first");
      if (sent.length > 1) return answered;
      return { kind: "again", reason: " is full", waitMs: 5_000, isThrottled: true };
    };
    const first = ask(throttledOnce, clock, limiter);
    await expect.poll(() => clock.sleepers).toBe(1);
    const second = ask(
      async () => {
        sent.push("second");
        return answered;
      },
      clock,
      limiter,
    );
    await clock.advance(4_999);
    expect(sent).toEqual(["first"]);
    await clock.advance(1);
    await Promise.all([first, second]);
    expect(sent.toSorted()).toEqual(["first", "first", "second"]);
  });

  test("does not ask at once again where a server says to wait for no time at all", async () => {
    const clock = fakeClock();
    const busy = async (): Promise<Attempt> => ({ kind: "again", reason: " is full", waitMs: 0 });
    const work = ask(busy, clock, new RateLimiter({}, clock), { maxRetries: 2 });
    await expect(work).rejects.toThrow("(asked 3 times)");
    expect(clock.sleeps).toEqual([500, 1_000]);
  });

  test("gives back what a refused request had reserved, and takes what an answer used", async () => {
    const clock = fakeClock();
    const limiter = new RateLimiter({ tokensPerMinute: 60_000 }, clock);
    const outcomes: Attempt[] = [{ kind: "again", reason: " is full", waitMs: 0 }, answered];
    await ask(async () => outcomes.shift() ?? answered, clock, limiter, { tokens: 10_000 });
    await limiter.acquire(9_000, new AbortController().signal);
    expect(clock.sleeps).toEqual([500]);
  });

  test("is over at once when it is stopped, also while it waits for its turn", async () => {
    const clock = manualClock();
    const limiter = new RateLimiter({}, clock);
    limiter.pause(60_000);
    const stopping = new AbortController();
    const work = ask(async () => answered, clock, limiter, { signal: stopping.signal });
    const stopped = expect(work).rejects.toMatchObject({ code: "cancelled", message: /^m at home/ });
    await expect.poll(() => clock.sleepers).toBe(1);
    stopping.abort();
    await stopped;
  });

  test("does not swallow what is no failure of the model", async () => {
    const clock = fakeClock();
    const broken = async (): Promise<Attempt> => Promise.reject(new TypeError("a mistake of ours"));
    await expect(ask(broken, clock, new RateLimiter({}, clock))).rejects.toThrow(TypeError);
  });
});
