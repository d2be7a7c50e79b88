import { isFields, sourceContent } from "./source-content.ts";
import type { StepWriter } from "./step-writer.ts";
import type { Metrics } from "./trajectory.ts";

type Item = Readonly<Record<string, unknown>>;

/**
 * Writes items of the OpenAI Responses API (a request's `input` or a response's `output`) as steps: messages,
 * reasoning, calls of functions and of built-in tools, and their outputs. An item of another kind is kept in
 * the step's `extra.unconverted`.
 */
export function writeResponseItems(items: readonly unknown[], writer: StepWriter): void {
  for (const item of items) {
    if (typeof item === "string") writer.say("user", sourceContent(item));
    else if (isFields(item)) writeItem(item, writer);
    else writer.note({ unconverted: [item] });
  }
}

function writeItem(item: Item, writer: StepWriter): void {
  const type = textOf(item.type) ?? (item.role === undefined ? "" : "message");
  if (type === "message") writeMessage(item, writer);
  else if (type === "reasoning") writeReasoning(item, writer);
  else if (type.endsWith("_call_output")) writer.observe(callId(item), sourceContent(item.output));
  else if (type.endsWith("_call")) writeCall(item, type, writer);
  else writer.note({ unconverted: [item] });
}

function writeMessage(item: Item, writer: StepWriter): void {
  const role = item.role;
  const content = sourceContent(item.content);
  if (role === "user") writer.say("user", content);
  else if (role === "system" || role === "developer") writer.say("system", content);
  else if (role === "tool") writer.observe(callId(item), content);
  else {
    writer.measure(tokenMetrics(item));
    writer.speak(content);
    writer.note(statusNote(item));
  }
}

function writeReasoning(item: Item, writer: StepWriter): void {
  writer.measure(tokenMetrics(item));
  const texts = [item.content, item.summary].flatMap((parts) => {
    const { content } = sourceContent(parts);
    return typeof content === "string" && content !== "" ? [content] : [];
  });
  for (const text of new Set(texts)) writer.think(text);
  if (typeof item.encrypted_content === "string") {
    writer.note({ encrypted_reasoning: [item.encrypted_content] });
  }
}

/** Fields of a call that are no arguments of it. */
const CALL_FIELDS = new Set([
  "type",
  "id",
  "call_id",
  "name",
  "status",
  "arguments",
  "output",
  "prompt_token_ids",
  "generation_token_ids",
  "generation_log_probs",
]);

function writeCall(item: Item, type: string, writer: StepWriter): void {
  writer.measure(tokenMetrics(item));
  const rest = Object.entries(item).filter(([key, value]) => !CALL_FIELDS.has(key) && value !== null);
  const isFunction = item.arguments !== undefined;
  writer.call({
    id: callId(item),
    name: textOf(item.name) ?? type.replace(/_call$/, ""),
    arguments: isFunction ? item.arguments : Object.fromEntries(rest),
  });
  writer.note(statusNote(item));
  if (item.output !== undefined && item.output !== null) {
    writer.observe(callId(item), sourceContent(item.output));
  }
}

function statusNote({ status }: Item): Record<string, unknown> {
  return typeof status === "string" && status !== "completed" ? { status } : {};
}

function callId(item: Item): string | undefined {
  return textOf(item.call_id) ?? textOf(item.tool_call_id) ?? textOf(item.id);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Token ids and log probabilities that a recorder put on an item; empty lists say nothing. */
export function tokenMetrics(item: Item): Partial<Metrics> {
  const promptIds = numbers(item.prompt_token_ids);
  const completionIds = numbers(item.generation_token_ids);
  const logprobs = numbers(item.generation_log_probs) ?? contentLogprobs(item.content);
  return {
    ...(promptIds !== undefined && { prompt_token_ids: promptIds }),
    ...(completionIds !== undefined && { completion_token_ids: completionIds }),
    ...(logprobs !== undefined && { logprobs }),
  };
}

function numbers(value: unknown): number[] | undefined {
  const isList = Array.isArray(value) && value.length > 0;
  return isList && value.every((entry) => Number.isFinite(entry)) ? (value as number[]) : undefined;
}

/** Log probabilities in the API's own place: `content[].logprobs[].logprob`. */
function contentLogprobs(content: unknown): number[] | undefined {
  if (!Array.isArray(content)) return undefined;
  const tokens = content.flatMap((part: unknown) =>
    isFields(part) && Array.isArray(part.logprobs) ? (part.logprobs as unknown[]) : [],
  );
  return numbers(tokens.map((token) => (isFields(token) ? token.logprob : undefined)));
}
