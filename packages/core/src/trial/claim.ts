import type { AttemptSummary, Trial, TrialRecord } from "../run/trial.ts";
import type { TrialDeps, TrialProgress } from "./deps.ts";
import { endAttempt } from "./end.ts";
import { isHeldByOther, newLease } from "./lease.ts";
import { interrupted, mayReopen } from "./policy.ts";
import { type HeldRecord, readTrialRecord, writeOwnRecord, writeTrialRecord } from "./record.ts";

export type TracingRow = Extract<TrialRecord, { status: "tracing" }>;

/**
 * Takes the next attempt of a trial for this process, with a conditional write: of any number of processes
 * one gets it.
 * @throws TracemillError `lease-lost` when another process was quicker.
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
      await endInterrupted(trial, { version: held.version, row }, deps);
      return claimTrial(trial, deps);
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

/**
 * Ends the attempt of a process that is gone. The row is taken first: its owner could be alive after all, and
 * would take a result that is stored before that for its own.
 */
async function endInterrupted(trial: Trial, held: HeldRecord<TracingRow>, deps: TrialDeps): Promise<void> {
  const row = { ...held.row, lease: newLease(deps) };
  const taken = await writeOwnRecord(deps.records, deps.runId, row, held);
  const outcome = { kind: "environment-failed", reason: interrupted } as const;
  await endAttempt(
    trial,
    taken,
    { outcome, decidedBy: "none", ...(row.usage === undefined ? {} : { usage: row.usage }), details: {} },
    deps,
  );
}
