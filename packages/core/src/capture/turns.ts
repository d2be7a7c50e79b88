import { allText } from "../atif/text-only.ts";
import type { Trajectory } from "../atif/trajectory.ts";

/** One turn of the agent, as two tellings of the same work have it in common. */
export interface AgentTurn {
  text: string;
  reasoning: string;
  calls: { id: string; name: string; arguments: Record<string, unknown> }[];
  promptTokens: number | undefined;
  completionTokens: number | undefined;
  cachedTokens: number | undefined;
}

/** The turns that the agent took itself, without copied context: a session and the agent's own log have the same ones. */
export function turnsOf({ steps }: Trajectory): AgentTurn[] {
  return steps.flatMap((step): AgentTurn[] => {
    if (step.source !== "agent" || step.is_copied_context === true) return [];
    const { metrics } = step;
    return [
      {
        text: allText(step.message),
        reasoning: step.reasoning_content ?? "",
        calls: (step.tool_calls ?? []).map((call) => ({
          id: call.tool_call_id,
          name: call.function_name,
          arguments: call.arguments,
        })),
        promptTokens: metrics?.prompt_tokens,
        completionTokens: metrics?.completion_tokens,
        cachedTokens: metrics?.cached_tokens,
      },
    ];
  });
}
