import { setTimeout as sleep } from "node:timers/promises";
import { isPassing } from "./errors.ts";

/** How long calls go on after the SDK's own retries have given up. */
export interface Patience {
  /** Milliseconds since the first failure after which the call fails. Default one minute. */
  patienceMs?: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
  sleep?: (ms: number) => Promise<unknown>;
  random?: () => number;
}

const defaultPatienceMs = 60_000;
const firstPauseMs = 200;
const longestPauseMs = 10_000;

/**
 * Tries again what may pass by itself. The SDK does so too, but its allowance of retries is for the whole client: in
 * a long burst of 503s a hundred calls use it up, and the rest then fail at once although a second would do.
 * @param work must be safe to repeat; it learns whether it is a repetition.
 */
export async function patiently<T>(
  work: (again: boolean) => Promise<T>,
  {
    patienceMs = defaultPatienceMs,
    now = Date.now,
    sleep: pause = sleep,
    random = Math.random,
  }: Patience = {},
): Promise<T> {
  let deadline: number | undefined;
  for (let tries = 0; ; tries += 1) {
    try {
      return await work(tries > 0);
    } catch (error) {
      deadline ??= now() + patienceMs;
      const ms = Math.min(longestPauseMs, firstPauseMs * 2 ** tries) * random();
      if (!isPassing(error) || now() + ms >= deadline) throw error;
      await pause(ms);
    }
  }
}
