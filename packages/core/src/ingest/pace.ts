import type { Clock } from "../ports/clock.ts";

/** Spaces the requests of one client, and holds all of them back while the server asks for a pause. */
export interface Pace {
  /** Resolves when the next request may start. */
  turn(signal?: AbortSignal): Promise<void>;
  /** No request starts within the next `ms`. */
  holdFor(ms: number): void;
}

/** @param gapMs least time between the starts of two requests. */
export function createPace(gapMs: number, clock: Clock): Pace {
  let nextStart = 0;
  let heldUntil = 0;
  return {
    async turn(signal) {
      signal?.throwIfAborted();
      const start = Math.max(clock.now(), nextStart, heldUntil);
      nextStart = start + gapMs;
      const wait = start - clock.now();
      if (wait > 0) await clock.sleep(wait, signal);
    },
    holdFor(ms) {
      heldUntil = Math.max(heldUntil, clock.now() + ms);
    },
  };
}
