import { isRetryable, isValid } from "../run/outcome.ts";
import type { AttemptSummary, Trial, TrialRecord } from "../run/trial.ts";
import type { TrialDeps, TrialProgress } from "./deps.ts";
import { isHeldByOther, newLease } from "./lease.ts";
import { type HeldRecord, readTrialRecord, writeTrialRecord } from "./record.ts";
import { storeResult } from "./result.ts";

export type TracingRow = Extract<TrialRecord, { status: "tracing" }>;

/** The reason given to an attempt whose process died; such attempts do not count against `retry.max`. */
const interrupted = "interrupted: the process that ran it ended";

/** A trial that brings its own process down this often is given up. */
const maxInterruptions = 5;

/**
 * Takes the next attempt of a trial for this process, with a conditional write: of any number of processes
 * one gets it.
 */
export async function claimTrial(
  trial: Trial,
  deps: TrialDeps,
): Promise<HeldRecord<TracingRow> | Exclude<TrialProgress, "skipped">> {
  const held = await readTrialRecord(deps.records, deps.runId, trial.trialId);
  if (held === undefined) return beginAttempt(trial, [], undefined, deps);
  const { row } = held;
  switch (row.status) {
    case "traced":
      return "traced";
    case "waiting":
      return beginAttempt(trial, row.attempts, held, deps);
    case "ended":
      return mayReopen(row, deps) ? beginAttempt(trial, row.attempts, held, deps) : "ended";
    case "tracing":
      if (isHeldByOther(row.lease, deps)) return "busy";
      return takeOver(trial, { version: held.version, row }, deps);
  }
}

async function beginAttempt(
  trial: Trial,
  attempts: AttemptSummary[],
  held: { version: number } | undefined,
  deps: TrialDeps,
): Promise<HeldRecord<TracingRow> | "busy"> {
  const row: TracingRow = {
    schemaVersion: 1,
    trialId: trial.trialId,
    status: "tracing",
    attempts,
    attempt: attempts.length + 1,
    startedAt: new Date(deps.clock.now()).toISOString(),
    lease: newLease(deps),
  };
  return (await writeTrialRecord(deps.records, deps.runId, row, held)) ?? "busy";
}

/** Records the attempt of a dead process as interrupted, then begins the next one. */
async function takeOver(
  trial: Trial,
  held: HeldRecord<TracingRow>,
  deps: TrialDeps,
): Promise<HeldRecord<TracingRow> | "busy" | "ended"> {
  const { row } = held;
  const endedAt = new Date(deps.clock.now()).toISOString();
  const summary: AttemptSummary = {
    attempt: row.attempt,
    startedAt: row.startedAt,
    endedAt,
    outcome: { kind: "environment-failed", reason: interrupted },
    decidedBy: "none",
  };
  await storeResult(trial, summary, {}, deps);
  const attempts = [...row.attempts, summary];
  if (attempts.filter(wasInterrupted).length <= maxInterruptions)
    return beginAttempt(trial, attempts, held, deps);
  const { trialId } = trial;
  const ended: TrialRecord = { schemaVersion: 1, trialId, status: "ended", attempts, endedAt };
  return (await writeTrialRecord(deps.records, deps.runId, ended, held)) === undefined ? "busy" : "ended";
}

function wasInterrupted(summary: AttemptSummary): boolean {
  return summary.outcome.kind === "environment-failed" && summary.outcome.reason === interrupted;
}

/** A resumed run begins again what ended without a valid outcome before it was resumed. */
function mayReopen(row: Extract<TrialRecord, { status: "ended" }>, deps: TrialDeps): boolean {
  const last = row.attempts.at(-1);
  if (last === undefined || isValid(last.outcome) || deps.reopenBefore === undefined) return false;
  return Date.parse(row.endedAt) < deps.reopenBefore;
}

/** Whether the policy grants another attempt after `attempts`, counting those since the run was resumed. */
export function grantsRetry(attempts: readonly AttemptSummary[], deps: TrialDeps): boolean {
  const last = attempts.at(-1);
  if (last === undefined || !isRetryable(last.outcome)) return false;
  const since = deps.reopenBefore ?? 0;
  const failures = attempts.filter(
    (summary) =>
      isRetryable(summary.outcome) && !wasInterrupted(summary) && Date.parse(summary.startedAt) >= since,
  );
  return failures.length <= deps.spec.retry.max;
}
