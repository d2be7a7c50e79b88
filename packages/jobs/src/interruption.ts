import { jobExit } from "@tracemill/aws/pipeline/messages.ts";
import type { JobLog } from "./log.ts";

/** ECS kills what is still there 30 s after SIGTERM. */
export const graceMs = 25_000;

export interface Interruption extends Disposable {
  /** Aborted when the job is told to stop: what is in flight ends as `cancelled`, nothing new is begun. */
  signal: AbortSignal;
}

interface Deps {
  log: JobLog;
  /** Where signals come from. */
  signals: Pick<NodeJS.Process, "on" | "off">;
  exit(code: number): void;
}

/**
 * SIGTERM (Spot takes the machine back, somebody terminates the job) or SIGINT: stop within 25 s, keeping the
 * records right. A second one, or time that runs out: leave everything as it is; the next attempt copes with that.
 */
export function watchInterruption({ log, signals, exit }: Deps): Interruption {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const giveUp = (why: string): void => {
    log.warn("left at once", { reason: why, exitCode: jobExit.interrupted });
    exit(jobExit.interrupted);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    if (stopping.signal.aborted) {
      giveUp(`a second ${name} came`);
      return;
    }
    log.warn("stopping", { reason: `${name}: giving back what is in flight` });
    timer = setTimeout(() => giveUp(`not stopped ${graceMs / 1_000} s after ${name}`), graceMs).unref();
    stopping.abort();
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) signals.on(name, onSignal);
  return {
    signal: stopping.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      for (const name of ["SIGTERM", "SIGINT"] as const) signals.off(name, onSignal);
    },
  };
}
