import type { ExportSpec } from "../run/export-spec.ts";
import { rewardOf } from "../run/outcome.ts";
import type { AttemptResult } from "../run/result.ts";

/** Why a trial is in `trials` and in no training format. */
export type LeftOut =
  | "agent"
  | "claim-was-checked"
  | `outcome:${string}`
  | "no-reward"
  | "reward-below-minimum"
  | "no-trajectory"
  | "not-text"
  | "no-agent-turn"
  | "duplicate";

/**
 * Why the spec's filters leave a trial out of the training formats; `undefined` when they take it. An outcome
 * without a reward is taken only where `outcomes` names it and no `minReward` is asked for: a missing reward
 * is not a zero.
 */
export function filterReason(
  result: AttemptResult,
  spec: ExportSpec,
  claimWasChecked = false,
): LeftOut | undefined {
  const { trial, outcome, objects } = result;
  if (claimWasChecked) return "claim-was-checked";
  if (spec.agents !== undefined && !spec.agents.includes(trial.agent.name)) return "agent";
  if (!spec.outcomes.includes(outcome.kind)) return `outcome:${outcome.kind}`;
  if (spec.minReward !== undefined) {
    const reward = rewardOf(outcome);
    if (reward === undefined) return "no-reward";
    if (reward < spec.minReward) return "reward-below-minimum";
  }
  return objects.trajectory === undefined ? "no-trajectory" : undefined;
}
