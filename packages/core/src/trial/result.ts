import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { type Outcome, rewardOf } from "../run/outcome.ts";
import { AttemptResult } from "../run/result.ts";
import type { AttemptSummary, ReferenceSolution, Timings, Trial } from "../run/trial.ts";
import { readStored } from "../stored-json.ts";
import type { TrialDeps } from "./deps.ts";

export const noTime: Timings = { environmentMs: 0, agentMs: 0, verifierMs: 0 };

type Details = Partial<
  Pick<
    AttemptResult,
    | "agentEnd"
    | "timings"
    | "sandbox"
    | "verifications"
    | "replay"
    | "objects"
    | "redactions"
    | "redactedFiles"
  >
>;

/**
 * Stores an attempt's whole record, once. When it is there already, an earlier process stored it and died
 * before it could say so; the earlier one stands.
 * @returns the summary of the record that stands.
 */
export async function storeResult(
  trial: Trial,
  summary: AttemptSummary,
  details: Details,
  deps: Pick<TrialDeps, "objects" | "runId">,
): Promise<AttemptSummary> {
  const claim = checkClaim(trial.reference, summary);
  const result: AttemptResult = {
    schemaVersion: 1,
    runId: deps.runId,
    trial,
    ...summary,
    timings: noTime,
    verifications: [],
    objects: {},
    ...details,
    ...(claim === undefined ? {} : { claim }),
  };
  const key = objectKeys.attempt(deps.runId, trial.trialId, summary.attempt, "result.json");
  const { created } = await deps.objects.putIfAbsent(key, Buffer.from(`${JSON.stringify(result)}\n`));
  return created ? summary : summaryOf(await readResult(key, deps.objects));
}

/** @throws TracemillError `not-found`, `storage-corrupt`. */
export async function readResult(key: string, objects: Pick<ObjectStore, "get">): Promise<AttemptResult> {
  return readStored(objects, key, AttemptResult);
}

function summaryOf(result: AttemptResult): AttemptSummary {
  const { attempt, startedAt, endedAt, outcome, decidedBy, usage } = result;
  return { attempt, startedAt, endedAt, outcome, decidedBy, ...(usage === undefined ? {} : { usage }) };
}

/** Holds the source's verdict on a played solution against what a real run came to. */
export function checkClaim(
  reference: ReferenceSolution | undefined,
  summary: Pick<AttemptSummary, "outcome" | "decidedBy">,
): AttemptResult["claim"] {
  const status = reference?.claim?.status;
  const reward = rewardOf(summary.outcome);
  const decidedHere = summary.decidedBy === "tests" || summary.decidedBy === "answer";
  if (reward === undefined || !decidedHere) return undefined;
  if (status !== "passed" && status !== "failed" && status !== "partial") return undefined;
  return { status, holds: status === verdictOf(reward) };
}

/** The source's words for a reward: 1 and above passes, 0 and below fails, the rest is partial. */
export function verdictOf(reward: number): "passed" | "failed" | "partial" {
  if (reward >= 1) return "passed";
  return reward <= 0 ? "failed" : "partial";
}

/** A failed outcome's reason in a few words; `undefined` for scored ones. */
export function reasonOf(outcome: Outcome): string | undefined {
  return outcome.kind === "scored" ? undefined : outcome.reason;
}
