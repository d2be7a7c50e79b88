import type { Outcome } from "../run/outcome.ts";
import type { AttemptSummary, Trial, TrialRecord, Usage } from "../run/trial.ts";
import type { TrialDeps } from "./deps.ts";
import { nextAfter } from "./policy.ts";
import { type HeldRecord, writeOwnRecord } from "./record.ts";
import { storeResult } from "./result.ts";

export interface Ending {
  outcome: Outcome;
  decidedBy: AttemptSummary["decidedBy"];
  usage?: Usage;
  details: Parameters<typeof storeResult>[2];
}

/**
 * Ends an attempt: its record goes to the object store, then the trial's row says so. A trial stays open
 * (`waiting`) when it was cancelled or the policy grants another attempt; once its agent was done
 * (`traced`) there is none, since the verification has been repeated already.
 */
export async function endAttempt(
  trial: Trial,
  held: HeldRecord<Extract<TrialRecord, { status: "tracing" | "traced" }>>,
  ending: Ending,
  deps: TrialDeps,
): Promise<ReturnType<typeof nextAfter>> {
  const { attempt, attempts: earlier, startedAt, status } = held.row;
  const endedAt = new Date(deps.clock.now()).toISOString();
  const { outcome, decidedBy, usage } = ending;
  const summary: AttemptSummary = {
    attempt,
    startedAt,
    endedAt,
    outcome,
    decidedBy,
    ...(usage === undefined ? {} : { usage }),
  };
  const standing = await storeResult(trial, summary, ending.details, deps);
  const attempts = [...earlier, standing];
  const next = status === "traced" ? "ended" : nextAfter(attempts, deps);
  const { trialId } = trial;
  const row: TrialRecord =
    next === "ended"
      ? { schemaVersion: 1, trialId, status: "ended", attempts, endedAt: standing.endedAt }
      : { schemaVersion: 1, trialId, status: "waiting", attempts };
  await writeOwnRecord(deps.records, deps.runId, row, held);
  deps.onEvent({
    type: "attempt-ended",
    trialId,
    task: trial.task.name,
    agent: trial.agent.name,
    attempt,
    outcome: standing.outcome,
    final: next === "ended",
    ...(standing.usage === undefined ? {} : { usage: standing.usage }),
  });
  return next;
}
