import * as z from "zod";

/**
 * How an attempt ended. Only `scored` and `agent-failed` carry a reward into statistics and datasets; the
 * others say that something else than the agent failed, which is never a zero.
 */
export const OutcomeKind = z.enum([
  "scored",
  "agent-failed",
  "environment-failed",
  "model-failed",
  "verifier-failed",
  "cancelled",
  "budget-exceeded",
]);
export type OutcomeKind = z.infer<typeof OutcomeKind>;

/** Named rewards; `reward` is the one that statistics use by default. Finite numbers only. */
export const Rewards = z.record(z.string(), z.number());
export type Rewards = z.infer<typeof Rewards>;

const MOST_REWARD = 1e100;

/** What may count as a reward: a finite number, and none so large that sums of squares of many would not be. */
export function isReward(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= MOST_REWARD;
}

/** Why the agent itself ended badly; its reward counts all the same. */
export const AgentFailure = z.enum([
  "timeout",
  "context-limit",
  "output-limit",
  "turn-limit",
  "refusal",
  "error",
]);
export type AgentFailure = z.infer<typeof AgentFailure>;

const reason = z.string().min(1);

export const Outcome = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("scored"), rewards: Rewards }),
  z.strictObject({ kind: z.literal("agent-failed"), failure: AgentFailure, reason, rewards: Rewards }),
  z.strictObject({
    kind: z.literal("environment-failed"),
    reason,
    /** The task itself is at fault (a Dockerfile that cannot be honoured, say): another attempt would end alike. */
    permanent: z.literal(true).optional(),
  }),
  z.strictObject({
    kind: z.literal("model-failed"),
    reason,
    /** A wrong key, a model that is not there: only the user can mend it, and another attempt would end alike. */
    permanent: z.literal(true).optional(),
  }),
  z.strictObject({ kind: z.literal("verifier-failed"), reason }),
  z.strictObject({ kind: z.literal("cancelled"), reason }),
  z.strictObject({ kind: z.literal("budget-exceeded"), reason }),
]);
export type Outcome = z.infer<typeof Outcome>;

/** Outcomes that end a trial: nothing would be learnt from another attempt. */
export function isValid(outcome: Outcome): outcome is Extract<Outcome, { rewards: Rewards }> {
  return outcome.kind === "scored" || outcome.kind === "agent-failed";
}

/** Outcomes that the retry policy may answer with another attempt. */
export function isRetryable(outcome: Outcome): boolean {
  if (outcome.kind === "environment-failed" || outcome.kind === "model-failed")
    return outcome.permanent !== true;
  return outcome.kind === "verifier-failed";
}

/**
 * The number that statistics and filters use: `reward`, else the only one, else the mean of all.
 * `undefined` for outcomes that carry none.
 */
export function rewardOf(outcome: Outcome): number | undefined {
  if (!isValid(outcome)) return undefined;
  const values = Object.values(outcome.rewards);
  if (outcome.rewards.reward !== undefined) return outcome.rewards.reward;
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
