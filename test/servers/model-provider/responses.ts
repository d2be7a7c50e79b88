import type { Fields } from "./asked.ts";
import {
  callsOf,
  countsOf,
  finishOf,
  type ModelReply,
  pieces,
  type Rendered,
  type Rendering,
  type StreamEvent,
} from "./reply.ts";

/** An answer of OpenAI's Responses API (platform.openai.com/docs/api-reference/responses-streaming). */
export function renderResponses(reply: ModelReply, rendering: Rendering): Rendered {
  const items = itemsOf(reply, rendering);
  const isWhole = finishOf(reply) !== "length";
  const head = {
    id: `resp_${rendering.number}`,
    object: "response",
    created_at: 1_700_000_000,
    model: reply.model ?? rendering.asked.model,
  };
  const body = {
    ...head,
    status: isWhole ? "completed" : "incomplete",
    incomplete_details: isWhole ? null : { reason: "max_output_tokens" },
    error: null,
    output: items,
    usage: usage(reply),
  };
  const begun = { ...head, status: "in_progress", output: [], usage: null };
  const end = isWhole ? "response.completed" : "response.incomplete";
  const list: Step[] = [
    { type: "response.created", response: begun },
    { type: "response.in_progress", response: begun },
    ...items.flatMap((item, index) => itemEvents(item, index, rendering.deltaChars)),
    { type: end, response: body },
  ];
  return { body, events: list.map(numbered) };
}

interface Step extends Fields {
  type: string;
}

function numbered(step: Step, index: number): StreamEvent {
  return { event: String(step.type), data: { ...step, sequence_number: index } };
}

function itemsOf(reply: ModelReply, { asked, number }: Rendering): Fields[] {
  const include = Array.isArray(asked.body.include) ? asked.body.include : [];
  const isEncrypted = include.includes("reasoning.encrypted_content");
  const reasoning = {
    type: "reasoning",
    id: `rs_${number}`,
    summary: [{ type: "summary_text", text: reply.reasoning }],
    ...(isEncrypted && { encrypted_content: Buffer.from(`sealed-${number}`).toString("base64") }),
  };
  const part =
    finishOf(reply) === "refusal"
      ? { type: "refusal", refusal: reply.text ?? "" }
      : { type: "output_text", text: reply.text ?? "", annotations: [] };
  const message = {
    type: "message",
    id: `msg_${number}`,
    role: "assistant",
    status: "completed",
    content: [part],
  };
  return [
    ...(reply.reasoning === undefined ? [] : [reasoning]),
    ...(reply.text === undefined ? [] : [message]),
    ...callItems(reply, { asked, number }),
  ];
}

function callItems(reply: ModelReply, { asked, number }: Pick<Rendering, "asked" | "number">): Fields[] {
  return callsOf(reply, number).map(({ id, name, text }, index) => {
    const common = { id: `fc_${number}_${index + 1}`, call_id: id, name, status: "completed" };
    const isFreeform = asked.tools.some((tool) => tool.name === name && tool.isFreeform === true);
    return isFreeform
      ? { type: "custom_tool_call", ...common, input: text }
      : { type: "function_call", ...common, arguments: text };
  });
}

function itemEvents(item: Fields, index: number, deltaChars: number): Step[] {
  const place = { output_index: index, item_id: item.id };
  const added = { type: "response.output_item.added", output_index: index, item: emptied(item) };
  const done = { type: "response.output_item.done", output_index: index, item };
  return [added, ...innerEvents(item, place, deltaChars), done];
}

function emptied(item: Fields): Fields {
  if (item.type === "message") return { ...item, status: "in_progress", content: [] };
  if (item.type === "reasoning") return { ...item, summary: [] };
  return { ...item, status: "in_progress", [item.input === undefined ? "arguments" : "input"]: "" };
}

function innerEvents(item: Fields, place: Fields, deltaChars: number): Step[] {
  const deltas = (type: string, text: string, more: Fields = {}): Step[] =>
    pieces(text, deltaChars).map((delta) => ({ type: `${type}.delta`, ...place, ...more, delta }));
  if (item.type === "reasoning") {
    const [part] = item.summary as [{ type: string; text: string }];
    const at = { summary_index: 0 };
    return [
      { type: "response.reasoning_summary_part.added", ...place, ...at, part: { ...part, text: "" } },
      ...deltas("response.reasoning_summary_text", part.text, at),
      { type: "response.reasoning_summary_text.done", ...place, ...at, text: part.text },
      { type: "response.reasoning_summary_part.done", ...place, ...at, part },
    ];
  }
  if (item.type === "message") return messageEvents(item, place, deltas);
  const [name, text] =
    item.input === undefined
      ? ["function_call_arguments", item.arguments]
      : ["custom_tool_call_input", item.input];
  const field = item.input === undefined ? "arguments" : "input";
  return [
    ...deltas(`response.${String(name)}`, String(text)),
    { type: `response.${String(name)}.done`, ...place, [field]: text },
  ];
}

function messageEvents(
  item: Fields,
  place: Fields,
  deltas: (type: string, text: string, more: Fields) => Step[],
): Step[] {
  const [part] = item.content as [Fields];
  const field = part.type === "refusal" ? "refusal" : "text";
  const type = part.type === "refusal" ? "response.refusal" : "response.output_text";
  const at = { content_index: 0 };
  return [
    { type: "response.content_part.added", ...place, ...at, part: { ...part, [field]: "" } },
    ...deltas(type, String(part[field]), at),
    { type: `${type}.done`, ...place, ...at, [field]: part[field] },
    { type: "response.content_part.done", ...place, ...at, part },
  ];
}

function usage(reply: ModelReply): Fields {
  const { promptTokens, completionTokens, cachedTokens, reasoningTokens } = countsOf(reply);
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: promptTokens + completionTokens,
  };
}
