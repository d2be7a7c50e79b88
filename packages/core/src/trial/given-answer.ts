import type { Trajectory } from "../atif/trajectory.ts";
import { finalAnswer, sameAnswer } from "../scenario/answer.ts";
import type { Scenario } from "../scenario/scenario.ts";

/** Whether a trajectory ends with the answer that a scenario expects; `undefined` when it expects none. */
export function isAnswered(
  { expected_answer: expected }: Scenario,
  trajectory: Trajectory,
): boolean | undefined {
  if (expected === undefined) return undefined;
  const given = finalAnswer(lastAgentText(trajectory));
  return given !== undefined && sameAnswer(expected, given);
}

function lastAgentText(trajectory: Trajectory): string {
  const message = trajectory.steps.findLast((step) => step.source === "agent")?.message ?? "";
  if (typeof message === "string") return message;
  return message.map((part) => (part.type === "text" ? part.text : "")).join("\n");
}
