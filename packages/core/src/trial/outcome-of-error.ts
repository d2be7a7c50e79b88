import { type ErrorCode, messageOf, TracemillError } from "../errors.ts";
import type { Outcome } from "../run/outcome.ts";

type Failure = Exclude<Outcome, { rewards: unknown }>;

const notTheAttempts: ReadonlySet<ErrorCode> = new Set([
  "storage-full",
  "storage-failed",
  "store-newer",
  "lease-lost",
]);

const theTasks: ReadonlySet<ErrorCode> = new Set(["unsupported", "invalid-task"]);

/**
 * The outcome that an error gives an attempt.
 *
 * Failures of the store, and a lost lease, are not the attempt's: they are thrown on, so that the run stops
 * instead of recording a wrong reason.
 */
export function outcomeOfError(error: unknown, phase: "environment" | "agent" | "verifier"): Failure {
  if (!(error instanceof TracemillError)) {
    const reason = `internal error: ${error instanceof Error ? error.name : "thrown value"}: ${messageOf(error)}`;
    return { kind: phase === "verifier" ? "verifier-failed" : "environment-failed", reason };
  }
  if (notTheAttempts.has(error.code)) throw error;
  const reason = error.message;
  switch (error.code) {
    case "cancelled":
      return { kind: "cancelled", reason };
    case "budget-exceeded":
      return { kind: "budget-exceeded", reason };
    case "model-failed":
      return { kind: "model-failed", reason, ...(error.retryable ? {} : { permanent: true }) };
    case "unauthorized":
      // In the agent's part only models want a key.
      return { kind: phase === "agent" ? "model-failed" : "environment-failed", reason };
    case "invalid-reward":
    case "reward-missing":
    case "timeout":
      return { kind: phase === "verifier" ? "verifier-failed" : "environment-failed", reason };
    default:
      return {
        kind: "environment-failed",
        reason,
        ...(theTasks.has(error.code) ? { permanent: true } : {}),
      };
  }
}
