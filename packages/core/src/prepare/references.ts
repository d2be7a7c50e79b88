import { solutionToTrajectory } from "../atif/from-solution.ts";
import { isTracemillError } from "../errors.ts";
import { sha256Hex } from "../ids.ts";
import { objectKeys } from "../keys.ts";
import type { RawRow, Solution } from "../production/schemas.ts";
import type { ReferenceSolution } from "../run/trial.ts";
import type { PrepareProblem } from "./manifest.ts";

export interface PreparedReference {
  reference: ReferenceSolution;
  /** The ATIF trajectory: JSON text. */
  body: string;
}

/** The recorded solutions of a row as trajectories, each under the SHA-256 of its content. */
export function referencesOf({ task, solutions }: RawRow): {
  references: PreparedReference[];
  problems: PrepareProblem[];
} {
  const references: PreparedReference[] = [];
  const problems: PrepareProblem[] = [];
  for (const solution of solutions) {
    try {
      const body = `${JSON.stringify(solutionToTrajectory({ task, solution }))}\n`;
      references.push({ reference: referenceOf(solution, objectKeys.reference(sha256Hex(body))), body });
    } catch (error) {
      if (!isTracemillError(error)) throw error;
      problems.push({ taskId: task.id, solutionId: solution.id, reason: error.message });
    }
  }
  return { references, problems };
}

function referenceOf(solution: Solution, trajectoryKey: string): ReferenceSolution {
  const { agent, model, evaluation } = solution;
  const { status, score, verdict } = evaluation ?? {};
  return {
    solutionId: solution.id,
    trajectoryKey,
    ...(agent ? { agent } : {}),
    ...(model ? { model } : {}),
    ...(status === undefined
      ? {}
      : { claim: { status, ...(score == null ? {} : { score }), ...(verdict == null ? {} : { verdict }) } }),
  };
}
