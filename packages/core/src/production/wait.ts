import { TracemillError } from "../errors.ts";
import type { ProductionClient } from "../ingest/client.ts";
import { isObject } from "../ingest/json.ts";
import type { Clock } from "../ports/clock.ts";

/** Statuses after which an evaluation does not change any more. */
const FINAL = ["passed", "failed", "partial"];
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export interface WaitDeps {
  /** A client whose requests end when the signal says so. */
  client: (signal: AbortSignal) => Pick<ProductionClient, "solution">;
  clock: Clock;
  signal?: AbortSignal | undefined;
  /** Told the status whenever it is another one. */
  onStatus?: ((status: string) => void) | undefined;
}

/**
 * Asks for a solution until its evaluation is over (`passed`, `failed`, `partial`), after 1 s, then ever less often, to
 * every 30 s. The deadline is one of elapsed time: a clock that is set meanwhile does not move it.
 * @param deadlineMs milliseconds.
 * @returns the solution, as the API gives it.
 * @throws TracemillError `timeout` with the last status; `not-found`; as `ProductionClient.solution`.
 */
export async function waitUntilEvaluated(
  id: string,
  deadlineMs: number,
  deps: WaitDeps,
): Promise<Record<string, unknown>> {
  const { clock, signal } = deps;
  const over = new AbortController();
  const stop = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const state = { status: "unknown" };
  const deadline = clock.sleep(deadlineMs, stop).then(() => {
    throw new TracemillError(
      "timeout",
      `solution ${id} is still ${state.status} at the deadline; wait again with \`tracemill prod wait ${id}\``,
      { retryable: true },
    );
  });
  try {
    return await Promise.race([poll(id, state, stop, deps), deadline]);
  } finally {
    over.abort();
    // The loser of the race ends by the abort, which nobody waits for.
    deadline.catch(() => undefined);
  }
}

async function poll(
  id: string,
  state: { status: string },
  stop: AbortSignal,
  { client: clientFor, clock, onStatus }: WaitDeps,
): Promise<Record<string, unknown>> {
  const client = clientFor(stop);
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    const solution = await client.solution(id);
    if (solution === undefined) {
      throw new TracemillError(
        "not-found",
        `the API has no solution ${id}; \`tracemill prod solutions TASK\` lists them`,
      );
    }
    const status = statusOf(solution);
    if (status !== state.status) onStatus?.(status);
    state.status = status;
    if (FINAL.includes(status)) return solution;
    await clock.sleep(pause, stop);
  }
}

/** The status of a solution's evaluation; one without an evaluation is pending. */
export function statusOf({ evaluation }: Record<string, unknown>): string {
  const status = isObject(evaluation) ? evaluation.status : undefined;
  return typeof status === "string" ? status.toLowerCase() : "pending";
}
