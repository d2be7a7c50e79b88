import type { RawRow, Solution, Task } from "../production/schemas.ts";
import { Scenario } from "../scenario/scenario.ts";
import { parseAs } from "../validation.ts";
import { requestOf } from "./request.ts";
import { taskName } from "./task-name.ts";

export interface PreparedScenario {
  scenario: Scenario;
  /** Why no expected answer was taken although there are some. */
  problem?: string;
}

/**
 * A question or tool task as a scenario: its request, its tools, the right answer where the source knows one.
 * What else the row says of the task goes into `metadata`.
 * @throws TracemillError `invalid-task`, `unsupported`.
 */
export function scenarioOf({ task, solutions }: RawRow, source: string): PreparedScenario {
  const { messages, tools } = requestOf(task);
  const answer = expectedAnswer(task, solutions);
  const scenario = {
    schemaVersion: 1,
    name: taskName(task.id),
    kind: task.kind || (tools.length > 0 ? "tool" : "qa"),
    messages,
    tools,
    ...(answer.expected === undefined ? {} : { expected_answer: answer.expected }),
    metadata: metadataOf(task, source),
  };
  const parsed = parseAs(Scenario, scenario, `task ${task.id}`, "invalid-task");
  return answer.problem === undefined ? { scenario: parsed } : { scenario: parsed, problem: answer.problem };
}

function metadataOf(task: Task, source: string): Record<string, unknown> {
  const { title, tags, created_at: createdAt, environment } = task;
  const own = isRecord(task.metadata) ? task.metadata : {};
  const known = { title, tags, created_at: createdAt, environment };
  const given = Object.entries(known).filter(([, value]) => value != null);
  return { ...own, ...Object.fromEntries(given), source, task_id: task.id };
}

/**
 * The right answer: the task's own, else the one in its metadata or its request, else the one that its
 * solutions or their responses carry, if they agree.
 */
function expectedAnswer(task: Task, solutions: readonly Solution[]): { expected?: string; problem?: string } {
  for (const place of [task, task.metadata, task.responses_create_params]) {
    const expected = answerIn(place);
    if (expected !== undefined) return { expected };
  }
  const carried = new Set(
    solutions
      .map((solution) => answerIn(solution) ?? answerIn(solution.response))
      .filter((answer) => answer !== undefined),
  );
  const [expected] = carried;
  if (expected === undefined) return {};
  if (carried.size === 1) return { expected };
  const shown = [...carried].slice(0, 3).map((answer) => `"${answer.slice(0, 40)}"`);
  return { problem: `its solutions carry different expected answers (${shown.join(", ")}); none is used` };
}

function answerIn(place: unknown): string | undefined {
  const answer = isRecord(place) ? place.expected_answer : undefined;
  if (typeof answer === "number") return String(answer);
  return typeof answer === "string" && answer.trim() !== "" ? answer : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
