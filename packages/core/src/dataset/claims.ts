import { hashId, IdSet } from "../ingest/id-set.ts";
import { isValid } from "../run/outcome.ts";
import type { CollectedTrial, Collection } from "./collect-trials.ts";

/** A trial, and whether its reward is a claim that another trial of the run has checked. */
export interface SortedTrial {
  trial: CollectedTrial;
  claimWasChecked: boolean;
}

/**
 * The trials with verified ones first and the source's claims after them: of equal conversations the verified
 * one stands, and a claim about a solution that a real run has decided is known to be superseded.
 */
export async function* verifiedFirst(trials: Pick<Collection, "read">): AsyncGenerator<SortedTrial> {
  const checked = new IdSet();
  for await (const trial of trials.read()) {
    if (isClaim(trial)) continue;
    const solution = solutionOf(trial);
    if (solution !== undefined && isValid(trial.result.outcome)) checked.add(solution);
    yield { trial, claimWasChecked: false };
  }
  for await (const trial of trials.read()) {
    if (!isClaim(trial)) continue;
    const solution = solutionOf(trial);
    yield { trial, claimWasChecked: solution !== undefined && checked.has(solution) };
  }
}

function isClaim({ result }: CollectedTrial): boolean {
  return result.decidedBy === "claim";
}

function solutionOf({ result }: CollectedTrial): bigint | undefined {
  const { task, reference } = result.trial;
  return reference === undefined ? undefined : hashId(JSON.stringify([task.hash, reference.solutionId]));
}
