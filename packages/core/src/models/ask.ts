import { type ErrorOptions, isTracemillError, TracemillError } from "../errors.ts";
import { backoffMs, LONGEST_WAIT_MS } from "../ingest/retry.ts";
import type { Clock, Random } from "../ports/clock.ts";
import type { ModelAnswer } from "../ports/model-client.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { charactersPerToken } from "./rough-tokens.ts";

/** What came of asking a model once. */
export type Attempt =
  | { kind: "answered"; answer: ModelAnswer }
  | {
      kind: "again";
      reason: string;
      /** Milliseconds that the provider wants to be left alone, where it says so. */
      waitMs?: number;
      /** Too many requests: what it says of waiting holds for everybody who asks it. */
      isThrottled?: boolean;
    }
  | { kind: "failed"; reason: string; context: Record<string, unknown>; isRetryable: boolean };

export interface AskOptions {
  /** Begins every message: the model and its server. */
  where: string;
  /** About how many tokens the request will use. */
  tokens: number;
  /** Tries after the first one. */
  maxRetries: number;
  signal: AbortSignal;
  /** Takes keys out of what a server said. */
  clean(text: string): string;
}

export interface AskDeps {
  clock: Clock;
  random: Random;
  limiter: RateLimiter;
}

/** Eight tries after the first one take some 90 s: a server restarts in that time. */
export const defaultRetries = 8;

/**
 * Asks until there is an answer, within the provider's rate limits: again after what may pass, as late as the provider
 * wants.
 * @throws TracemillError `model-failed`, `cancelled`.
 */
export async function askPatiently(
  attempt: () => Promise<Attempt>,
  options: AskOptions,
  deps: AskDeps,
): Promise<ModelAnswer> {
  const { where, signal } = options;
  try {
    return await askAgain(attempt, options, deps);
  } catch (error) {
    if (!signal.aborted || isTracemillError(error, "cancelled")) throw error;
    throw new TracemillError("cancelled", `${where}: the request was stopped`, { cause: error });
  }
}

async function askAgain(
  attempt: () => Promise<Attempt>,
  options: AskOptions,
  deps: AskDeps,
): Promise<ModelAnswer> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await askOnce(attempt, options, deps);
    if (outcome.kind === "answered") return outcome.answer;
    if (outcome.kind === "failed")
      throw failure(outcome.reason, options, { context: outcome.context, retryable: outcome.isRetryable });
    if (tries > options.maxRetries) throw failure(`${outcome.reason} (asked ${tries} times)`, options);
    await waitAsWanted(outcome, tries, options, deps);
  }
}

async function askOnce(
  attempt: () => Promise<Attempt>,
  { tokens, signal }: AskOptions,
  { limiter }: AskDeps,
): Promise<Attempt> {
  const permit = await limiter.acquire(tokens, signal);
  let used = 0;
  try {
    const outcome = await attempt();
    signal.throwIfAborted();
    if (outcome.kind === "answered") used = tokensOf(outcome.answer) ?? tokens;
    return outcome;
  } finally {
    permit.settle(used);
  }
}

function tokensOf({ usage }: ModelAnswer): number | undefined {
  return usage === undefined ? undefined : usage.promptTokens + usage.completionTokens;
}

async function waitAsWanted(
  outcome: Extract<Attempt, { kind: "again" }>,
  tries: number,
  options: AskOptions,
  { clock, random, limiter }: AskDeps,
): Promise<void> {
  const { waitMs, isThrottled = false, reason } = outcome;
  if (waitMs !== undefined && waitMs > LONGEST_WAIT_MS) {
    throw failure(`${reason}; it asks to wait ${Math.ceil(waitMs / 60_000)} minutes`, options);
  }
  if (waitMs !== undefined && isThrottled) limiter.pause(waitMs);
  // "At once" from a server that is busy is no help: asked so, all tries are gone in a moment.
  await clock.sleep(waitMs || backoffMs(tries, random), options.signal);
}

/** A server may quote the key that it was given; no message does. */
function failure(
  reason: string,
  { where, clean }: AskOptions,
  { context = {}, retryable = true }: Pick<ErrorOptions, "context" | "retryable"> = {},
): TracemillError {
  return new TracemillError("model-failed", clean(`${where}${reason}`), { context, retryable });
}

/** What an answer is reckoned at that has no `maxTokens`. */
const usualAnswer = 1_000;

/** About how many tokens a request of so many characters will use. */
export function estimateTokens(characters: number, maxTokens?: number): number {
  return Math.ceil(characters / charactersPerToken) + Math.min(maxTokens ?? usualAnswer, 4 * usualAnswer);
}
