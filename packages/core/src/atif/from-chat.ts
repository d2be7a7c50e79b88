import { tokenMetrics } from "./from-responses.ts";
import { isFields, sourceContent } from "./source-content.ts";
import type { StepWriter } from "./step-writer.ts";

type Message = Readonly<Record<string, unknown>>;

/**
 * Writes messages in OpenAI chat form as steps. An assistant's message is a turn of its own; `tool` messages
 * (and old `function` ones) answer the calls before them.
 */
export function writeChatMessages(messages: readonly Message[], writer: StepWriter): void {
  for (const message of messages) {
    const content = sourceContent(message.content);
    const role = message.role;
    if (role === "assistant") writeAssistant(message, writer);
    else if (role === "tool" || role === "function") {
      writer.observe(text(message.tool_call_id) ?? text(message.name), content);
    } else if (role === "system" || role === "developer") writer.say("system", content);
    else writer.say("user", content);
  }
}

function writeAssistant(message: Message, writer: StepWriter): void {
  writer.endTurn();
  writer.measure(tokenMetrics(message));
  writer.speak(sourceContent(message.content));
  const reasoning = message.reasoning_content ?? message.reasoning ?? message.thinking;
  if (typeof reasoning === "string") writer.think(reasoning);
  if (typeof message.refusal === "string") writer.speak(sourceContent([message]));
  const calls = Array.isArray(message.tool_calls) ? (message.tool_calls as unknown[]) : [];
  for (const call of calls) writeCall(call, writer);
  const old = message.function_call;
  if (isFields(old))
    writer.call({ id: text(old.name), name: text(old.name) ?? "", arguments: old.arguments });
}

function writeCall(call: unknown, writer: StepWriter): void {
  if (!isFields(call)) {
    writer.note({ unconverted: [call] });
    return;
  }
  const tool = isFields(call.function) ? call.function : call;
  writer.call({
    id: text(call.id),
    name: text(tool.name) ?? "",
    arguments: tool.arguments ?? tool.input,
  });
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
