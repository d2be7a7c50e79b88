/** A limit that is running. */
export interface TimeLimit {
  signal: AbortSignal;
  /** Gives the whole time again: something came of the time so far. */
  renew(): void;
}

/** Runs `work` with a signal that fires after `ms`; the timer covers all of it, so a stalled body counts. */
export async function withTimeout<T>(
  ms: number,
  outer: AbortSignal | undefined,
  work: (limit: TimeLimit) => Promise<T>,
): Promise<T> {
  // Not AbortSignal.any: the outer signal lives for the whole ingest, and would keep one entry a request.
  const controller = new AbortController();
  const stop = (): void => controller.abort(outer?.reason);
  const timer = setTimeout(() => controller.abort(new Error(`no whole answer within ${ms} ms`)), ms);
  outer?.addEventListener("abort", stop, { once: true });
  try {
    outer?.throwIfAborted();
    return await work({ signal: controller.signal, renew: () => void timer.refresh() });
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", stop);
  }
}
