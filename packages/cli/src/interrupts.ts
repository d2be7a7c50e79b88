import type { Output } from "./output.ts";

/**
 * One Ctrl-C may arrive several times within milliseconds: from the terminal, from npm, and from the process that
 * picks the Node version.
 */
const sameKeyPressMs = 300;

/** What the first Ctrl-C says; a command that does something else then puts its own words in. */
export interface InterruptWords {
  first: string;
  /** While a program of the user's own has the terminal: its Ctrl-C is that program's alone, as often as it comes. */
  isProgramsOwn?: boolean;
}

export function drainWords(): InterruptWords {
  return { first: "finishing what is in flight; Ctrl-C again stops at once" };
}

export interface Interrupts extends Disposable {
  draining: AbortSignal;
  signal: AbortSignal;
}

/**
 * Ctrl-C once: finish what is in flight. Twice, or a termination: stop at once, keeping the records right.
 * Three times: leave everything as it is; a resumed run copes with that too.
 */
export function watchInterrupts(out: Output, words: InterruptWords = drainWords()): Interrupts {
  const draining = new AbortController();
  const now = new AbortController();
  const stopNow = (): void => {
    draining.abort();
    if (now.signal.aborted) process.exit(130);
    out.note("stopping at once");
    now.abort();
  };
  const onInterrupt = (): void => {
    if (words.isProgramsOwn === true) return;
    if (draining.signal.aborted) {
      stopNow();
      return;
    }
    const afterEcho = out.isTty && out.live === undefined ? "\n" : "";
    out.note(`${afterEcho}${words.first}`);
    draining.abort();
  };
  const handlers = { SIGINT: oncePerPress(onInterrupt), SIGTERM: oncePerPress(stopNow) };
  for (const [name, handler] of Object.entries(handlers)) process.on(name, handler);
  return {
    draining: draining.signal,
    signal: now.signal,
    [Symbol.dispose]: () => {
      for (const [name, handler] of Object.entries(handlers)) process.off(name, handler);
    },
  };
}

function oncePerPress(handler: () => void): () => void {
  let ready = true;
  // By way of setImmediate, so that a repeat that waited while this process was busy still counts as one.
  const rearm = (): void => void setImmediate(() => (ready = true));
  return () => {
    if (!ready) return;
    ready = false;
    setTimeout(rearm, sameKeyPressMs).unref();
    handler();
  };
}
