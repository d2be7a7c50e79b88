import type { Clock } from "../ports/clock.ts";
import { RequestLimit } from "./request-limit.ts";

/** Spaces the requests of one client, and holds all of them back while the server asks for a pause. */
export interface Pace {
  /** Resolves when the next request may start. */
  turn(signal?: AbortSignal): Promise<Turn>;
  /** No request starts within the next `ms`. */
  holdFor(ms: number): void;
}

export interface Turn {
  /** To be called when the request is over, with what came of it. */
  end(outcome: { status: number } | Error | undefined): void;
}

export interface PaceOptions {
  /** Least milliseconds between the starts of two requests. */
  sleepMs: number;
  /** Most requests at once. */
  mostAtOnce: number;
}

export function createPace({ sleepMs, mostAtOnce }: PaceOptions, clock: Clock): Pace {
  const limit = new RequestLimit(mostAtOnce);
  let nextStart = 0;
  let heldUntil = 0;
  async function start(signal: AbortSignal | undefined): Promise<void> {
    const at = Math.max(clock.now(), nextStart, heldUntil);
    nextStart = at + sleepMs;
    const wait = at - clock.now();
    if (wait > 0) await clock.sleep(wait, signal);
  }
  return {
    async turn(signal) {
      const entry = await limit.enter(signal);
      try {
        await start(signal);
      } catch (error) {
        limit.leave(entry, false);
        throw error;
      }
      return { end: (outcome) => limit.leave(entry, isTooMany(outcome)) };
    },
    holdFor(ms) {
      heldUntil = Math.max(heldUntil, clock.now() + ms);
    },
  };
}

/** Too many requests, or more than the server can serve. */
function isTooMany(outcome: { status: number } | Error | undefined): boolean {
  return outcome !== undefined && "status" in outcome && (outcome.status === 429 || outcome.status === 503);
}
