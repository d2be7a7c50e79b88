import { RawRow, Solution, Task } from "../production/schemas.ts";
import { idOf, isObject, parsePlain } from "./json.ts";
import type { IngestReject } from "./manifest.ts";

export type BuiltRow =
  | { kind: "row"; line: string; solutions: number; rejects: IngestReject[] }
  | { kind: "rejected"; rejects: IngestReject[] };

interface RowParts {
  taskId: string;
  task: Record<string, unknown>;
  solutions: unknown[];
  /** ISO 8601, UTC. */
  fetchedAt: string;
}

/**
 * One line of a raw snapshot, checked as its readers will check it. A solution that does not fit is put
 * aside and the others stay; when the task does not fit, or no solution is left, the whole row is put aside.
 */
export function buildRow(parts: RowParts): BuiltRow {
  const whole = toLine(parts);
  const problem = problemOf(RawRow, parsePlain(whole));
  if (problem === undefined)
    return { kind: "row", line: whole, solutions: parts.solutions.length, rejects: [] };
  const row = { task: parts.task, solutions: parts.solutions };
  const rejected: BuiltRow = {
    kind: "rejected",
    rejects: [{ kind: "task", taskId: parts.taskId, reason: problem, value: row }],
  };
  if (problemOf(Task, plain(parts.task)) !== undefined) return rejected;
  const checked = parts.solutions.map((value) => ({ value, problem: problemOf(Solution, plain(value)) }));
  const kept = checked.filter((each) => each.problem === undefined).map((each) => each.value);
  if (kept.length === 0) return rejected;
  const rejects = checked.flatMap(({ value, problem: reason }): IngestReject[] =>
    reason === undefined ? [] : [{ kind: "solution", taskId: parts.taskId, reason, value }],
  );
  return { kind: "row", line: toLine({ ...parts, solutions: kept }), solutions: kept.length, rejects };
}

function toLine({ task, solutions, fetchedAt }: RowParts): string {
  return JSON.stringify({ task, solutions, fetched_at: fetchedAt });
}

function plain(exact: unknown): unknown {
  return parsePlain(JSON.stringify(exact));
}

function problemOf(
  schema: typeof RawRow | typeof Task | typeof Solution,
  value: unknown,
): string | undefined {
  const { error } = schema.safeParse(value);
  return error?.issues
    .slice(0, 5)
    .map((issue) => `\`${issue.path.join(".") || "(root)"}\`: ${issue.message}`)
    .join("; ");
}

/** A list entry names a task without saying what it asks. */
export function isTaskSummary(task: Record<string, unknown>): boolean {
  return !TASK_CONTENT.some((key) => isGiven(task, key));
}

/** A list entry names a solution without saying what was done, or how it was judged. */
export function isSolutionSummary(solution: Record<string, unknown>): boolean {
  return !SOLUTION_CONTENT.some((key) => isGiven(solution, key));
}

const TASK_CONTENT = [
  ...["prompt", "instruction", "instructions", "description", "inputs", "harbor", "verify", "environment"],
  ...["responses_create_params", "messages", "expected_answer", "reference_solution"],
];
const SOLUTION_CONTENT = ["steps", "trajectory", "response", "messages", "evaluation", "artifacts", "checks"];

/** In its place, or moved out of it for its length. */
function isGiven(fields: Record<string, unknown>, key: string): boolean {
  const moved = fields.moved_fields;
  return [fields[key], isObject(moved) ? moved[key] : undefined].some(
    (value) => value !== undefined && value !== null && value !== "",
  );
}

/** The solutions without those whose id an earlier one has; entries without an id all stay. */
export function withoutRepeats(solutions: readonly unknown[]): unknown[] {
  const seen = new Set<string>();
  return solutions.filter((solution) => {
    const id = isObject(solution) ? idOf(solution.id) : undefined;
    if (id === undefined) return true;
    const known = seen.has(id);
    seen.add(id);
    return !known;
  });
}
