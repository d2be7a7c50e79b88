import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { JobLog } from "../log.ts";
import type { ServerProcess } from "./server-process.ts";

export interface HealthDeps {
  clock: Clock;
  fetch: typeof globalThis.fetch;
  log: JobLog;
}

/** Loading takes minutes: a look each second costs nothing. */
const pollMs = 1_000;

/** A line of progress so often; how far a server has come, it does not say. */
const progressMs = 30_000;

/** Under full load vLLM takes seconds to answer. */
const answerMs = 10_000;

const watchMs = 15_000;

/** So many answers missed in a row are no load any more: a minute and more. */
const maxMissed = 4;

/**
 * Waits until the server answers 2xx.
 * @returns what went wrong in words, when it ended or its time ran out; `undefined` when it is up.
 */
export async function untilHealthy(
  server: ServerProcess,
  url: string,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  deps: HealthDeps,
): Promise<string | undefined> {
  const startedAt = deps.clock.now();
  let lastProgress = startedAt;
  while (server.isAlive()) {
    signal.throwIfAborted();
    if (await isHealthy(url, signal, deps)) return undefined;
    const elapsed = deps.clock.now() - startedAt;
    if (elapsed >= timeoutMs) {
      return `it was not up after ${Math.round(timeoutMs / 1_000)} s (\`startTimeout\`)`;
    }
    if (deps.clock.now() - lastProgress >= progressMs) {
      lastProgress = deps.clock.now();
      deps.log.info("model-loading", {
        elapsedSeconds: Math.round(elapsed / 1_000),
        lastLine: server.log.last,
      });
    }
    await Promise.race([deps.clock.sleep(pollMs, signal), server.ended]);
  }
  return server.ended;
}

/**
 * Looks after a server that is up.
 * @returns why it is of no use any more: it ended, or it stopped answering.
 */
export async function untilUnhealthy(
  server: ServerProcess,
  url: string,
  signal: AbortSignal,
  deps: HealthDeps,
): Promise<string> {
  let missed = 0;
  while (server.isAlive()) {
    await Promise.race([deps.clock.sleep(watchMs, signal), server.ended]);
    if (!server.isAlive()) break;
    missed = (await isHealthy(url, signal, deps)) ? 0 : missed + 1;
    if (missed >= maxMissed) return `it stopped answering: ${maxMissed} health checks in a row were missed`;
  }
  return server.ended;
}

/** Whether it answers 2xx now. */
export async function isHealthy(
  url: string,
  signal: AbortSignal,
  { fetch }: Pick<HealthDeps, "fetch">,
): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
