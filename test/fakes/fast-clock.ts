import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "@tracemill/core/ports/clock.ts";

/** A clock that runs `speed` times as fast, so that pauses and patience need no waiting. */
export function fastClock(speed: number): Clock {
  const begun = Date.now();
  return {
    now: () => begun + (Date.now() - begun) * speed,
    sleep: async (ms, signal) => {
      await sleep(ms / speed, undefined, signal === undefined ? {} : { signal });
    },
  };
}
