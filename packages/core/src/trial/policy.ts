import { isRetryable, isValid } from "../run/outcome.ts";
import type { AttemptSummary, TrialRecord } from "../run/trial.ts";
import type { TrialDeps } from "./deps.ts";

/** The reason given to an attempt whose process died; such attempts do not count against `retry.max`. */
export const interrupted = "interrupted: the process that ran it ended";

/** A trial that brings its own process down this often is given up. */
const maxInterruptions = 5;

type Policy = Pick<TrialDeps, "spec" | "reopenBefore">;

/**
 * What follows the last of `attempts`: nothing (`ended`), another one at once (`again`), or another one when the
 * run goes on (`later`).
 */
export function nextAfter(attempts: readonly AttemptSummary[], policy: Policy): "ended" | "again" | "later" {
  const last = attempts.at(-1);
  if (last === undefined) return "again";
  if (isValid(last.outcome)) return "ended";
  if (last.outcome.kind === "cancelled") return "later";
  if (attempts.filter(wasInterrupted).length > maxInterruptions) return "ended";
  return grantsRetry(attempts, policy) ? "again" : "ended";
}

/** Whether the policy grants another attempt, counting the failures since the run was resumed. */
function grantsRetry(attempts: readonly AttemptSummary[], { spec, reopenBefore = 0 }: Policy): boolean {
  const last = attempts.at(-1);
  if (last === undefined || !isRetryable(last.outcome)) return false;
  const failures = attempts.filter(
    (summary) =>
      isRetryable(summary.outcome) &&
      !wasInterrupted(summary) &&
      Date.parse(summary.startedAt) >= reopenBefore,
  );
  return failures.length <= spec.retry.max;
}

function wasInterrupted({ outcome }: AttemptSummary): boolean {
  return outcome.kind === "environment-failed" && outcome.reason === interrupted;
}

/** A resumed run begins again what ended without a valid outcome before it was resumed. */
export function mayReopen(row: Extract<TrialRecord, { status: "ended" }>, { reopenBefore }: Policy): boolean {
  const last = row.attempts.at(-1);
  if (last === undefined || isValid(last.outcome) || reopenBefore === undefined) return false;
  return Date.parse(row.endedAt) < reopenBefore;
}

/** Whether nothing new is to be begun: the run was stopped, or its budget is used up. */
export function isStopping({
  draining,
  signal,
  budget,
  clock,
}: Pick<TrialDeps, "draining" | "signal" | "budget" | "clock">): boolean {
  return draining.aborted || signal.aborted || budget.exceeded(clock.now()) !== undefined;
}
