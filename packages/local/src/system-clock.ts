import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "@tracemill/core/ports/clock.ts";

/** Milliseconds that a timer of Node can hold; it takes more for 1. */
const longestTimer = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    const options = signal === undefined ? {} : { signal };
    let left = ms;
    for (; left > longestTimer; left -= longestTimer) await sleep(longestTimer, undefined, options);
    await sleep(left, undefined, options);
  },
};
