import { isTracemillError, TracemillError } from "@tracemill/core/errors.ts";

/** Time for work to store what it holds, and for the function to answer. */
const reserveMs = 60_000;

export interface Deadline extends Disposable {
  /** Aborted once the time runs short. */
  signal: AbortSignal;
  /** Whether `error` is what work throws because of this deadline. */
  caused(error: unknown): boolean;
}

/**
 * A deadline 60 s before a function's end, or at three quarters of a time that is shorter than four minutes.
 * @param remainingMs what the function has left, as its context says.
 */
export function deadlineOf(remainingMs: number): Deadline {
  const controller = new AbortController();
  const words = "the function's time runs short; what is done is stored";
  const timer = setTimeout(
    () => controller.abort(new TracemillError("cancelled", words)),
    Math.max(0, remainingMs - Math.min(reserveMs, remainingMs / 4)),
  );
  return {
    signal: controller.signal,
    caused: (error) => controller.signal.aborted && isStop(error),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

function isStop(error: unknown): boolean {
  return isTracemillError(error, "cancelled") || (error instanceof Error && error.name === "AbortError");
}
