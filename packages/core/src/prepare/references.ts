import { solutionToTrajectory } from "../atif/from-solution.ts";
import { isTracemillError, type TracemillError } from "../errors.ts";
import { sha256Hex } from "../ids.ts";
import { hasMovedValues, restoreValues } from "../ingest/body/whole.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { type RawRow, Solution } from "../production/schemas.ts";
import type { ReferenceSolution } from "../run/trial.ts";
import { parseAs } from "../validation.ts";
import type { PrepareProblem } from "./manifest.ts";

export interface PreparedReferences {
  references: ReferenceSolution[];
  /** The row's solutions without the recordings that had been moved out of it. */
  solutions: Solution[];
  problems: PrepareProblem[];
}

export interface ReferenceDeps {
  objects: Pick<ObjectStore, "get" | "putIfAbsent">;
  /** Runs work that holds a whole long recording in memory: one at a time. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** Stores the recorded solutions of a row as trajectories, each under the SHA-256 of its content. */
export async function storeReferences(
  { task, solutions }: RawRow,
  deps: ReferenceDeps,
): Promise<PreparedReferences> {
  const prepared: PreparedReferences = { references: [], solutions: [], problems: [] };
  const take = async (solution: Solution): Promise<void> => {
    const { whole, body, problem } = await trajectoryOf(task, solution, deps.objects);
    prepared.solutions.push(withoutMoved(solution, whole));
    if (problem !== undefined) prepared.problems.push(problem);
    if (body === undefined) return;
    const key = objectKeys.reference(sha256Hex(body));
    await deps.objects.putIfAbsent(key, body);
    prepared.references.push(referenceOf(whole, key));
  };
  for (const solution of solutions) {
    await (hasMovedValues(solution) ? deps.alone(() => take(solution)) : take(solution));
  }
  return prepared;
}

interface Recording {
  whole: Solution;
  /** The ATIF trajectory: JSON text. */
  body?: Uint8Array;
  problem?: PrepareProblem;
}

async function trajectoryOf(
  task: RawRow["task"],
  solution: Solution,
  objects: ReferenceDeps["objects"],
): Promise<Recording> {
  let whole = solution;
  try {
    whole = await wholeSolution(solution, objects);
    return {
      whole,
      body: Buffer.from(`${JSON.stringify(solutionToTrajectory({ task, solution: whole }))}\n`),
    };
  } catch (error) {
    if (!isFaultOfRow(error)) throw error;
    return { whole, problem: { taskId: task.id, solutionId: solution.id, reason: error.message } };
  }
}

/** Whether an error is about what the row holds; that a store fails is not the row's fault. */
export function isFaultOfRow(error: unknown): error is TracemillError {
  return isTracemillError(error) && error.code !== "storage-failed" && error.code !== "storage-full";
}

/**
 * A solution with what had been moved out of its row for its length.
 * @throws TracemillError `unsupported` beyond `MOST_RESTORED`; `not-found`, `storage-*`; `invalid-input`.
 */
export async function wholeSolution(
  solution: Solution,
  objects: Pick<ObjectStore, "get">,
): Promise<Solution> {
  if (!hasMovedValues(solution)) return solution;
  const where = `solution ${solution.id}`;
  return parseAs(Solution, await restoreValues(solution, objects, where), where);
}

/** What the row said, and the right answer that a moved response carries. */
function withoutMoved(solution: Solution, whole: Solution): Solution {
  if (solution.response || !whole.response) return solution;
  const { expected_answer } = whole.response;
  return expected_answer === undefined ? solution : { ...solution, response: { expected_answer } };
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
