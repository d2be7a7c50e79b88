import type { Scratch } from "../ports/scratch.ts";
import type { ExportSpec } from "../run/export-spec.ts";
import { isValid, rewardOf } from "../run/outcome.ts";
import type { AttemptResult } from "../run/result.ts";
import { canonicalJson } from "../run/spec.ts";
import type { SortedTrial } from "./claims.ts";
import type { CollectedTrial } from "./collect-trials.ts";
import { sortedBy } from "./external-sort.ts";
import { filterReason, type LeftOut } from "./filter.ts";

/** The trials that one group of ART compares: one task, one agent and model. */
export interface ArtGroup {
  trials: SortedTrial[];
}

/** Groups in the order of task and agent, a group's trials by sample. Memory: the results of one group. */
export async function* artGroups(
  trials: AsyncIterable<SortedTrial>,
  scratch: Scratch,
): AsyncGenerator<ArtGroup> {
  let group: SortedTrial[] = [];
  let current = "";
  for await (const sorted of sortedBy(trials, sortKey, { scratch })) {
    const key = groupKey(sorted.trial.result);
    if (key !== current && group.length > 0) {
      yield { trials: group };
      group = [];
    }
    current = key;
    group.push(sorted);
  }
  if (group.length > 0) yield { trials: group };
}

/** A recorded solution that is played back counts for the agent and model that made it. */
function groupKey({ trial }: AttemptResult): string {
  const { task, agent, reference } = trial;
  return canonicalJson([task.name, task.hash, agent, reference?.agent ?? null, reference?.model ?? null]);
}

/** JSON has no line end of its own, so that keys of groups stay apart. */
function sortKey({ trial: { result } }: SortedTrial): string {
  const { sample, trialId } = result.trial;
  return `${groupKey(result)}\n${String(sample).padStart(9, "0")}\n${trialId}`;
}

/** A rollout that failed beside its agent: it has no reward, and none is made up. */
export interface ArtException {
  type: string;
  message: string;
  traceback: string;
}

/** Where a trial goes, before its trajectory is read. */
export type ArtPlace =
  | { kind: "trajectory"; reward: number; trial: CollectedTrial; key: string }
  | { kind: "exception"; exception: ArtException; reason: LeftOut }
  | { kind: "left-out"; reason: LeftOut };

/**
 * `minReward` does not count here: a group without its low rewards teaches nothing. With `artFailureReward` a
 * failed rollout that left a trajectory has that reward; one that was cancelled never has.
 */
export function artPlace({ trial, claimWasChecked }: SortedTrial, spec: ExportSpec): ArtPlace {
  const { minReward: _, artFailureReward, ...filters } = spec;
  const { outcome, objects } = trial.result;
  const reason = filterReason(trial.result, filters, claimWasChecked);
  if (reason === "claim-was-checked" || reason === "agent") return { kind: "left-out", reason };
  const key = objects.trajectory;
  if (!isValid(outcome)) {
    const mayHaveReward = artFailureReward !== undefined && outcome.kind !== "cancelled";
    if (mayHaveReward && key !== undefined)
      return { kind: "trajectory", reward: artFailureReward, trial, key };
    return { kind: "exception", ...exceptionOf(trial) };
  }
  const reward = rewardOf(outcome);
  if (reason !== undefined) return { kind: "left-out", reason };
  if (reward === undefined || key === undefined) return { kind: "left-out", reason: "no-reward" };
  return { kind: "trajectory", reward, trial, key };
}

export function exceptionOf({ result: { outcome } }: CollectedTrial): {
  exception: ArtException;
  reason: LeftOut;
} {
  const message = "reason" in outcome ? outcome.reason : outcome.kind;
  return { exception: { type: outcome.kind, message, traceback: "" }, reason: `outcome:${outcome.kind}` };
}
