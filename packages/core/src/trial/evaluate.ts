import { parseTrajectory, type Trajectory } from "../atif/trajectory.ts";
import { TracemillError } from "../errors.ts";
import { sumOfCounts } from "../redact/redactor.ts";
import { isRetryable, isReward, type Outcome, type Rewards } from "../run/outcome.ts";
import type { ReplayReport, Verification } from "../run/result.ts";
import type { AttemptSummary, Trace, Trial, TrialRecord } from "../run/trial.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { readJson } from "../stored-json.ts";
import type { TrialDeps, TrialProgress } from "./deps.ts";
import { endAttempt } from "./end.ts";
import { isAnswered } from "./given-answer.ts";
import { busyWhenLost, isHeldByOther, isOwnAndFresh, newLease, underLease } from "./lease.ts";
import { outcomeOfError } from "./outcome-of-error.ts";
import { isStopping } from "./policy.ts";
import { type HeldRecord, readTrialRecord, writeTrialRecord } from "./record.ts";
import { causeOfEnd } from "./trace.ts";
import { verify } from "./verify.ts";

type TracedRow = Extract<TrialRecord, { status: "traced" }>;

/**
 * The verification of a traced trial. The verifier runs in a sandbox that the agent never touched; when it
 * fails for reasons of its own it is run again over the same workspace, as often as the policy allows.
 */
export function evaluateTrial(trial: Trial, deps: TrialDeps): Promise<TrialProgress> {
  return busyWhenLost(() => claimAndEvaluate(trial, deps));
}

async function claimAndEvaluate(trial: Trial, deps: TrialDeps): Promise<TrialProgress> {
  const held = await readTrialRecord(deps.records, deps.runId, trial.trialId);
  if (held?.row.status === "ended") return "ended";
  if (held?.row.status !== "traced") return isStopping(deps) ? "skipped" : "busy";
  if (isHeldByOther(held.row.lease, deps)) return "busy";
  if (deps.draining.aborted) return "skipped";
  const claimed = await claimVerification({ version: held.version, row: held.row }, deps);
  if (claimed === undefined) return "busy";
  const { value, held: current } = await underLease(claimed, deps, (lost) =>
    evaluate(trial, claimed.row.trace, deps, AbortSignal.any([deps.signal, lost])),
  );
  if (value === "stopped") return isStopping(deps) ? "skipped" : "busy";
  await endAttempt(trial, current, value, deps);
  return "ended";
}

/** A trial that this process has just traced is still its own; any other is taken by a conditional write. */
async function claimVerification(
  held: HeldRecord<TracedRow>,
  deps: TrialDeps,
): Promise<HeldRecord<TracedRow> | undefined> {
  if (isOwnAndFresh(held.row.lease, deps)) return held;
  return writeTrialRecord(deps.records, deps.runId, { ...held.row, lease: newLease(deps) }, held);
}

interface Judgement {
  rewards: Rewards;
  decidedBy: AttemptSummary["decidedBy"];
}

type Evaluated = Parameters<typeof endAttempt>[2];

/** @returns `stopped` when the run was stopped: the trial stays traced, and a resumed run verifies it. */
async function evaluate(
  trial: Trial,
  trace: Trace,
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<Evaluated | "stopped"> {
  const verifications: Verification[] = [];
  const redactor = deps.redactor();
  const startedAt = deps.clock.now();
  const judged = await judge(trial, trace, verifications, deps, signal);
  if (signal.aborted && "failure" in judged) return "stopped";
  const { agentEnd, usage, sandbox, objects, redactedFiles } = trace;
  const { replay } = judged;
  const outcome = redactor.json("rewards" in judged ? outcomeOf(trace, judged) : judged.failure);
  const details = {
    agentEnd,
    timings: { ...trace.timings, verifierMs: deps.clock.now() - startedAt },
    ...(sandbox === undefined ? {} : { sandbox }),
    verifications: redactor.json(verifications),
    ...(replay === undefined ? {} : { replay }),
    ...(redactedFiles === undefined ? {} : { redactedFiles }),
    objects,
  };
  const redactions = sumOfCounts(trace.redactions, redactor.counts);
  return {
    outcome,
    decidedBy: "rewards" in outcome && "rewards" in judged ? judged.decidedBy : "none",
    ...(usage === undefined ? {} : { usage }),
    details: { ...details, ...(redactions === undefined ? {} : { redactions }) },
  };
}

async function judge(
  trial: Trial,
  trace: Trace,
  verifications: Verification[],
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<(Judgement | { failure: Outcome }) & { replay?: ReplayReport | undefined }> {
  try {
    if (deps.agents(trial.agent.name).decidedBy === "claim") return judgeByClaim(trial);
    const task = await deps.tasks.load(trial.task);
    const replay = await readReplayReport(trial, trace.objects.trajectory, deps);
    if (task.kind === "scenario") return { ...(await judgeByAnswer(task.scenario, trace, deps)), replay };
    for (let round = 0; ; round += 1) {
      const verdict = await verify(trial, task.harbor, trace, deps, signal);
      verifications.push(verdict.verification);
      if ("rewards" in verdict) return { rewards: verdict.rewards, decidedBy: "tests", replay };
      const again = isRetryable(verdict.failure) && round < deps.spec.retry.max;
      if (!again || signal.aborted) return { failure: verdict.failure, replay };
    }
  } catch (error) {
    return { failure: outcomeOfError(causeOfEnd(signal, error), "verifier") };
  }
}

function judgeByClaim(trial: Trial): Judgement {
  const claim = trial.reference?.claim;
  const reward =
    claim?.score ?? (claim?.status === "passed" ? 1 : claim?.status === "failed" ? 0 : undefined);
  if (!isReward(reward)) {
    const why =
      reward === undefined ? "has not evaluated this solution" : `says ${reward}, which is no reward`;
    throw new TracemillError("reward-missing", `the source ${why}`);
  }
  return { rewards: { reward }, decidedBy: "claim" };
}

async function judgeByAnswer(scenario: Scenario, trace: Trace, deps: TrialDeps): Promise<Judgement> {
  const isRight =
    trace.isAnswered ?? isAnswered(scenario, await readTrajectory(trace.objects.trajectory, deps));
  if (isRight === undefined)
    throw new TracemillError("reward-missing", "the scenario has no expected answer");
  return { rewards: { reward: isRight ? 1 : 0 }, decidedBy: "answer" };
}

async function readTrajectory(key: string, deps: TrialDeps): Promise<Trajectory> {
  return parseTrajectory(await readJson(deps.objects, key), key);
}

async function readReplayReport(
  trial: Trial,
  key: string,
  deps: TrialDeps,
): Promise<ReplayReport | undefined> {
  if (trial.reference === undefined) return undefined;
  return (await readTrajectory(key, deps)).extra?.replay as ReplayReport | undefined;
}

/**
 * The outcome of what was judged. An agent that failed keeps its reward: what it left behind was verified all the
 * same. Tests that saw other files than it left say nothing when they give no reward: none at all, or none by one of
 * several names of which no one is the reward.
 */
function outcomeOf({ agentEnd, redactedFiles = [] }: Trace, { rewards, decidedBy }: Judgement): Outcome {
  const outcome: Outcome =
    agentEnd.kind === "completed" ? { kind: "scored", rewards } : { ...agentEnd, rewards };
  const deciding = rewards.reward === undefined ? Object.values(rewards) : [rewards.reward];
  const isTrusted =
    decidedBy !== "tests" || redactedFiles.length === 0 || deciding.every((reward) => reward > 0);
  if (isTrusted) return outcome;
  const files = redactedFiles.slice(0, 3).join(", ");
  return {
    kind: "verifier-failed",
    reason: `the tests gave no reward to a workspace that is not as the agent left it: secrets were taken out of ${files}. To have it judged as it was, say \`redact: { workspace: keep }\` in the spec`,
  };
}
