import type { ChatMessage, ToolDefinition } from "../ports/model-client.ts";
import { allText, assertTextOnly } from "./text-only.ts";
import type { ObservationResult, Step, ToolCall, Trajectory } from "./trajectory.ts";

/** A conversation as trainers read it: OpenAI chat form with tools. */
export interface ChatConversation {
  messages: ChatMessage[];
  tools: ToolDefinition[];
}

/**
 * A trajectory as chat messages for supervised fine-tuning. System stays system; a turn of the agent is an
 * assistant message with native `tool_calls` and its reasoning in `reasoning_content`; results follow as
 * `tool` messages in the order of the calls. A result that answers no call becomes a user message after them.
 * Copied context comes once, where it stands. A call without a result has no `tool` message: none is made up.
 * All text parts are kept, joined by line ends.
 * @throws TracemillError `unsupported` for images and sound.
 */
export function trajectoryToMessages(trajectory: Trajectory): ChatConversation {
  assertTextOnly(trajectory);
  return {
    messages: trajectory.steps.flatMap(stepMessages),
    tools: trajectory.agent.tool_definitions ?? [],
  };
}

/** The messages of one step: its own first, then what its calls returned. Its content is text. */
export function stepMessages(step: Step): ChatMessage[] {
  const results = step.observation?.results ?? [];
  const free = results.filter((result) => result.source_call_id === undefined);
  return [
    step.source === "agent" ? assistantMessage(step) : { role: step.source, content: allText(step.message) },
    ...(step.tool_calls ?? []).flatMap((call) => toolMessage(call, results)),
    ...(free.length === 0 ? [] : [{ role: "user" as const, content: resultText(free) }]),
  ];
}

function assistantMessage(step: Step): ChatMessage {
  const calls = step.tool_calls ?? [];
  return {
    role: "assistant",
    content: allText(step.message),
    ...(step.reasoning_content ? { reasoning_content: step.reasoning_content } : {}),
    ...(calls.length > 0 && {
      tool_calls: calls.map((call) => ({
        id: call.tool_call_id,
        type: "function" as const,
        function: { name: call.function_name, arguments: argumentsText(call) },
      })),
    }),
  };
}

/** The text that the model wrote, where the parsed object could not hold its numbers. */
function argumentsText({ arguments: parsed, extra }: ToolCall): string {
  const raw = extra?.raw_arguments;
  return typeof raw === "string" ? raw : JSON.stringify(parsed);
}

function toolMessage({ tool_call_id: id }: ToolCall, results: readonly ObservationResult[]): ChatMessage[] {
  const own = results.filter((result) => result.source_call_id === id);
  return own.length === 0 ? [] : [{ role: "tool", content: resultText(own), tool_call_id: id }];
}

function resultText(results: readonly ObservationResult[]): string {
  return results.map((result) => allText(result.content)).join("\n");
}
