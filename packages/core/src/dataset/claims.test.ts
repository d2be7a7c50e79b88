import { expect, test } from "vitest";
import { gather } from "../../../../test/fakes/gather.ts";
import type { AttemptResult } from "../run/result.ts";
import { verifiedFirst } from "./claims.ts";
import type { CollectedTrial } from "./collect-trials.ts";

function trial(trialId: string, solutionId: string, parts: Partial<AttemptResult>): CollectedTrial {
  const result = {
    trial: { trialId, task: { hash: "h" }, reference: { solutionId } },
    outcome: { kind: "scored", rewards: { reward: 0 } },
    ...parts,
  };
  return { result, attempts: 1 } as unknown as CollectedTrial;
}

async function sorted(trials: CollectedTrial[]) {
  const read = async function* () {
    yield* trials;
  };
  const rows = await gather(verifiedFirst({ read }));
  return rows.map(({ trial: { result }, claimWasChecked }) => [result.trial.trialId, claimWasChecked]);
}

test("claims come after what was verified, and those that a real run decided are marked", async () => {
  const rows = await sorted([
    trial("a", "s1", { decidedBy: "claim" }),
    trial("b", "s2", { decidedBy: "claim" }),
    trial("c", "s1", { decidedBy: "tests" }),
  ]);
  expect(rows).toEqual([
    ["c", false],
    ["a", true],
    ["b", false],
  ]);
});

test("a real run that failed decides nothing", async () => {
  const failed = { kind: "environment-failed", reason: "down" } as const;
  const rows = await sorted([
    trial("a", "s1", { decidedBy: "claim" }),
    trial("b", "s1", { decidedBy: "none", outcome: failed }),
  ]);
  expect(rows).toEqual([
    ["b", false],
    ["a", false],
  ]);
});
