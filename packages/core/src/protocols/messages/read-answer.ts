import * as z from "zod";
import { toolArguments } from "../../atif/tool-arguments.ts";
import type { ModelAnswer, ToolCall } from "../../ports/model-client.ts";
import { parseAs } from "../../validation.ts";
import { carryOf, uniqueIds, withKnown } from "../answer-parts.ts";
import { type Fields, fieldsOf, textIn } from "../fields.ts";
import { messagesUsage } from "../usage.ts";

const Message = z.looseObject({
  content: z.array(z.looseObject({ type: z.string() })),
  stop_reason: z.string().nullish(),
});

/**
 * Reads the body of an answer of Anthropic's Messages API.
 * @throws TracemillError `model-failed`, naming the field, for anything else.
 */
export function readMessagesAnswer(body: unknown, where: string): ModelAnswer {
  const message = parseAs(Message, body, `${where}: the answer`, "model-failed");
  const blocks = message.content as Fields[];
  const text = blocks.map((block) => (block.type === "text" ? textIn(block.text) : "")).join("");
  const toolCalls = uniqueIds(blocks.flatMap(toolCall));
  const reasoning = blocks.map((block) => (block.type === "thinking" ? textIn(block.thinking) : "")).join("");
  const needsCarry = blocks.some(({ type }) => type !== "text" && type !== "tool_use");
  return withKnown(
    { text, toolCalls, finish: claudeFinish(message.stop_reason, toolCalls) },
    {
      reasoning: reasoning || undefined,
      usage: messagesUsage(fieldsOf(body).usage),
      carry: needsCarry ? carryOf("messages", blocks, { text, toolCalls }) : undefined,
    },
  );
}

function toolCall({ type, id, name, input }: Fields): ToolCall[] {
  if (type !== "tool_use") return [];
  const { arguments: args, extra } = toolArguments(input);
  const noted = Object.keys(extra).length > 0 && { extra };
  return [{ id: textIn(id), name: textIn(name), arguments: args, ...noted }];
}

/** Stop reasons of Anthropic, and of Bedrock, which has most of them and some more. */
export function claudeFinish(
  reason: string | null | undefined,
  toolCalls: readonly ToolCall[],
): ModelAnswer["finish"] {
  if (reason === "max_tokens" || reason === "model_context_window_exceeded") return "length";
  if (reason === "refusal" || reason === "content_filtered" || reason === "guardrail_intervened")
    return "refusal";
  if (reason === "pause_turn") return "more";
  return toolCalls.length > 0 ? "tool-calls" : "stop";
}
