import type { Step, ToolCall } from "../../atif/trajectory.ts";
import type { Thread } from "./thread.ts";

/** Shorter words of a call are no prompt. */
const shortestPrompt = 8;

/** Points from the result of a call to the conversation that begins with what the call was told to do. */
export function withSubagentRefs(
  steps: Step[],
  others: readonly { id: string; thread: Pick<Thread, "opening"> }[],
): Step[] {
  if (others.length === 0) return steps;
  return steps.map((step) => {
    const { tool_calls: calls, observation } = step;
    if (calls === undefined || observation === undefined) return step;
    const results = observation.results.map((result) => {
      const call = calls.find(({ tool_call_id: id }) => id === result.source_call_id);
      const begun = call === undefined ? [] : others.filter(({ thread }) => isToldBy(call, thread.opening));
      if (begun.length === 0) return result;
      return { ...result, subagent_trajectory_ref: begun.map(({ id }) => ({ trajectory_id: id })) };
    });
    return { ...step, observation: { results } };
  });
}

function isToldBy({ arguments: args }: ToolCall, opening: string): boolean {
  return Object.values(args).some(
    (value) => typeof value === "string" && value.length >= shortestPrompt && opening.includes(value.trim()),
  );
}
