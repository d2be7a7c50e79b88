import { isTracemillError } from "@tracemill/core/errors.ts";

/** A broken Dockerfile may take minutes to fail, and each trial of its task, and each retry, would wait for that. */
const brokenMs = 5 * 60_000;

/** Work that several trials want: done once at a time, and not again for five minutes when it failed by itself. */
export class SharedWork<T> {
  readonly #running = new Map<string, Promise<T>>();

  /**
   * @param signal ends the wait for somebody else's work too.
   * @throws what the work throws, whoever began it, but for the end that was somebody else's wish.
   */
  async do(key: string, work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (;;) {
      signal?.throwIfAborted();
      const other = this.#running.get(key);
      if (other === undefined) return this.#begin(key, work);
      try {
        return await beforeAbort(other, signal);
      } catch (error) {
        // Whoever began it was stopped; that is no reason for us to stop.
        if (!isStopped(error)) throw error;
      }
    }
  }

  async #begin(key: string, work: () => Promise<T>): Promise<T> {
    const running = work();
    this.#running.set(key, running);
    let keptMs = 0;
    try {
      return await running;
    } catch (error) {
      if (isLasting(error)) keptMs = brokenMs;
      throw error;
    } finally {
      if (keptMs === 0) this.#running.delete(key);
      else setTimeout(() => this.#running.delete(key), keptMs).unref();
    }
  }
}

/** What a promise comes to, or the signal's reason when that is first. */
export async function beforeAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

function isStopped(error: unknown): boolean {
  return !isTracemillError(error) || error.code === "cancelled" || error.code === "timeout";
}

function isLasting(error: unknown): boolean {
  return isTracemillError(error, "sandbox-failed", "invalid-task", "unsupported") && !error.retryable;
}
