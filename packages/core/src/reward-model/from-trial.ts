import { parseTrajectory } from "../atif/trajectory.ts";
import type { SortedTrial } from "../dataset/claims.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { rewardOf } from "../run/outcome.ts";
import { readJson } from "../stored-json.ts";
import { aside, type Found, foundEpisode } from "./found.ts";
import { stepsOfTrajectory } from "./text-steps.ts";

/**
 * The episode of an ended trial of ours, from its trajectory and reward. There is no browser in it.
 * @throws TracemillError `not-found`, `storage-corrupt`, `invalid-trajectory` for a stored trajectory that is gone or
 * no trajectory.
 */
export async function episodeOfTrial(
  { trial: { result, sha256 }, claimWasChecked }: SortedTrial,
  objects: Pick<ObjectStore, "get">,
): Promise<Found> {
  const { runId, attempt, outcome, trial, decidedBy } = result;
  const { trialId, task, agent } = trial;
  const resultKey = objectKeys.attempt(runId, trialId, attempt, "result.json");
  const origin = {
    kind: "trial" as const,
    ...{ runId, trialId, attempt, resultKey, resultSha256: sha256 },
    ...{ taskHash: task.hash, task: task.origin },
  };
  const reward = rewardOf(outcome);
  if (reward === undefined) return aside("no-final-score", `it ended as ${outcome.kind}`, origin);
  if (claimWasChecked) return aside("claim-was-checked", "a real run has decided on this solution", origin);
  const key = result.objects.trajectory;
  if (key === undefined) return aside("no-steps", "the attempt left no trajectory", origin);
  const trajectory = parseTrajectory(await readJson(objects, key), key);
  const recorded = {
    episode_id: trialId,
    task_id: task.origin.kind === "snapshot" ? task.origin.taskId : task.name,
    group: task.group,
    agent: agent.name,
    model: agent.model,
    decided_by: decidedBy,
    steps: stepsOfTrajectory(trajectory),
    final_score: reward,
  };
  return foundEpisode(recorded, origin);
}
