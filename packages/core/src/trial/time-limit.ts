import { messageOf, TracemillError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";

/** The longest time that a timer of Node's holds, some 24 days; anything longer would fire at once. */
const longestMs = 2 ** 31 - 1;

/** How long work that was told to stop may still take. */
export const graceMs = 15_000;

/** Seconds of a task's config as whole milliseconds for a timer. */
export function timerMs(seconds: number): number {
  return Math.min(Math.ceil(seconds * 1_000), longestMs);
}

interface TimeLimit {
  /** Milliseconds; none: only `signal` stops the work. */
  limitMs: number | undefined;
  signal: AbortSignal;
  /** Takes away what the work needs, when it does not stop by itself. */
  force(): Promise<void>;
}

/**
 * Runs `work` with a signal that says when to stop: when the time runs out, or when `signal` does. Work that goes
 * on for `graceMs` all the same is given up.
 * @returns its value and whether its time ran out.
 * @throws what `work` throws before its time ran out; TracemillError `timeout` when it fails afterwards, or is
 * given up.
 */
export async function underTimeLimit<T>(
  { limitMs, signal, force }: TimeLimit,
  clock: Clock,
  work: (stop: AbortSignal) => Promise<T>,
): Promise<{ value: T; timedOut: boolean }> {
  const done = new AbortController();
  const stop = new AbortController();
  let timedOut = false;
  const overdue = async (): Promise<never> => {
    timedOut = await timeRunsOut(limitMs, signal, done.signal, clock);
    stop.abort(timedOut ? new TracemillError("timeout", "the time ran out") : signal.reason);
    await clock.sleep(graceMs, done.signal);
    await force();
    throw new TracemillError("timeout", `told to stop, it went on for ${graceMs / 1_000} s`);
  };
  const givenUp = overdue();
  givenUp.catch(() => undefined);
  try {
    return { value: await Promise.race([work(stop.signal), givenUp]), timedOut };
  } catch (error) {
    if (!timedOut) throw error;
    const limit = (limitMs ?? longestMs) / 1_000;
    const message = `the time ran out after ${limit} s, and no trajectory came: ${messageOf(error)}`;
    throw new TracemillError("timeout", message, { cause: error });
  } finally {
    done.abort();
  }
}

/** Waits until the time is up (true) or the signal comes (false); rejects when the work is done before. */
async function timeRunsOut(
  limitMs: number | undefined,
  signal: AbortSignal,
  done: AbortSignal,
  clock: Clock,
): Promise<boolean> {
  try {
    await clock.sleep(Math.min(limitMs ?? longestMs, longestMs), AbortSignal.any([signal, done]));
    return true;
  } catch {
    done.throwIfAborted();
    return false;
  }
}
