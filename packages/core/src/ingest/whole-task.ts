import type { Clock } from "../ports/clock.ts";
import { isSolutionSummary, isTaskSummary, withoutRepeats } from "./build-row.ts";
import { fingerprint, fingerprintAll } from "./chain/fingerprint.ts";
import { disagree, latestTime, solutionCount } from "./chain/version.ts";
import type { ProductionClient } from "./client.ts";
import { idOf, isObject } from "./json.ts";

/** A task with all that its source says of it. */
export interface WholeTask {
  task: Record<string, unknown>;
  /** Those that the task's list names, each once. */
  solutions: unknown[];
  /** What `/tasks/{id}` said; absent when it was not asked, or had nothing to say. */
  detail: Record<string, unknown> | undefined;
  taskFingerprint: bigint;
  solutionsFingerprint: bigint;
  /** It may not stay as it is: an evaluation is under way, or something changed while it was fetched. */
  moving: boolean;
  /** ISO 8601, UTC. */
  fetchedAt: string;
}

/** An entry that changed so short a time ago may change again within the same tick of its timestamp. */
const RECENT_MS = 60_000;

/**
 * Fetches a task's solutions, and its details where the entry has none.
 * @param entry its list entry, or its details themselves.
 * @param includeEmpty whether details are wanted when there are no solutions.
 */
export async function fetchWhole(
  { id, value: entry }: { id: string; value: Record<string, unknown> },
  { includeEmpty }: { includeEmpty: boolean },
  { client, clock }: { client: ProductionClient; clock: Clock },
): Promise<WholeTask> {
  const listed = await client.solutions(id);
  const distinct = withoutRepeats(listed);
  const wanted = isTaskSummary(entry) && (distinct.length > 0 || includeEmpty);
  // After the solutions: a task that changed in between shows it by its details.
  const detail = wanted ? await client.task(id) : undefined;
  const solutions: unknown[] = [];
  for (const solution of distinct) solutions.push(await wholeSolution(solution, client));
  const now = clock.now();
  const task = detail === undefined ? entry : { ...entry, ...detail };
  const steady = distinct.length === listed.length && isSteady(entry, { detail, solutions, now });
  return {
    task,
    solutions,
    detail,
    taskFingerprint: fingerprint(task),
    solutionsFingerprint: fingerprintAll(solutions),
    moving: !steady || solutions.some(isMoving),
    fetchedAt: new Date(now).toISOString(),
  };
}

async function wholeSolution(value: unknown, client: ProductionClient): Promise<unknown> {
  if (!isObject(value) || !isSolutionSummary(value)) return value;
  const id = idOf(value.id);
  return id === undefined ? value : { ...value, ...(await client.solution(id)) };
}

/** Whether what was fetched after the entry fits what the entry says. */
function isSteady(
  entry: Record<string, unknown>,
  after: { detail: Record<string, unknown> | undefined; solutions: readonly unknown[]; now: number },
): boolean {
  const count = solutionCount(entry);
  if (count !== undefined && count !== after.solutions.length) return false;
  if (after.detail !== undefined && disagree(entry, after.detail)) return false;
  const time = latestTime(entry);
  return time === undefined || Math.abs(after.now - time) > RECENT_MS;
}

/** Final words of an evaluation; everything else, no word among it, may still become one of them. */
const SETTLED = ["passed", "failed", "partial"];

function isMoving(solution: unknown): boolean {
  const evaluation = isObject(solution) ? solution.evaluation : undefined;
  return !isObject(evaluation) || !SETTLED.includes(String(evaluation.status));
}
