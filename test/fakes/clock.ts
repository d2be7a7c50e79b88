import type { Clock } from "@tracemill/core/ports/clock.ts";

export interface FakeClock extends Clock {
  /** Moves time on without sleeping. */
  advance(ms: number): void;
  /** What was slept so far, in milliseconds, in order. */
  readonly sleeps: readonly number[];
}

/** A clock that starts at `startIso` and whose `sleep` moves it on at once. */
export function fakeClock(startIso = "2026-01-01T00:00:00.000Z"): FakeClock {
  let now = Date.parse(startIso);
  const sleeps: number[] = [];
  return {
    sleeps,
    now: () => now,
    advance(ms) {
      now += ms;
    },
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      sleeps.push(ms);
      now += ms;
      await Promise.resolve();
      signal?.throwIfAborted();
    },
  };
}
