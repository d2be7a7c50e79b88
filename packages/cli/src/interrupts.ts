import type { Output } from "./output.ts";

export interface Interrupts extends Disposable {
  draining: AbortSignal;
  signal: AbortSignal;
}

/**
 * Ctrl-C once: finish what is in flight. Twice, or a termination: stop at once, keeping the records right.
 * Three times: leave everything as it is; a resumed run copes with that too.
 */
export function watchInterrupts(out: Output): Interrupts {
  const draining = new AbortController();
  const now = new AbortController();
  const stopNow = (): void => {
    draining.abort();
    if (now.signal.aborted) process.exit(130);
    now.abort();
  };
  const onInterrupt = (): void => {
    if (draining.signal.aborted) {
      stopNow();
      return;
    }
    out.note("\nfinishing what is in flight; Ctrl-C again stops at once");
    draining.abort();
  };
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", stopNow);
  return {
    draining: draining.signal,
    signal: now.signal,
    [Symbol.dispose]: () => {
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", stopNow);
    },
  };
}
