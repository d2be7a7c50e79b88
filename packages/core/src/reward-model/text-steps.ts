import { allText } from "../atif/text-only.ts";
import type { Step, Trajectory } from "../atif/trajectory.ts";

/**
 * The steps of a trajectory without a browser: one for each tool call of the agent, with what came back; a turn
 * without calls is a `message`. Turns from before the trajectory are no steps of it. That a command failed is in
 * its observation: here every call counts as carried out.
 */
export function stepsOfTrajectory({ steps }: Trajectory): unknown[] {
  return steps
    .filter(({ source, is_copied_context: copied }) => source === "agent" && copied !== true)
    .flatMap(actionsOf)
    .map(({ action, observation }, index) => ({
      index,
      observation,
      action_result: { action, action_event: action.kind, successfully_executed: true },
    }));
}

function actionsOf(step: Step) {
  const calls = step.tool_calls ?? [];
  if (calls.length === 0) {
    const text = allText(step.message);
    return [{ action: { kind: "message", args: { text } }, observation: undefined }];
  }
  return calls.map(({ tool_call_id: id, function_name: kind, arguments: args }, at) => {
    const results = step.observation?.results ?? [];
    // What is no call's own answer came after the last of them.
    const own = results.filter(({ source_call_id: of }) =>
      of === undefined ? at === calls.length - 1 : of === id,
    );
    const texts = own.map(({ content }) => allText(content));
    return { action: { kind, args }, observation: texts.length === 0 ? undefined : texts.join("\n") };
  });
}
