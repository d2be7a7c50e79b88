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

const stopReasons = {
  stop: "end_turn",
  "tool-calls": "tool_use",
  length: "max_tokens",
  refusal: "refusal",
} as const;

/** An answer of Anthropic's Messages API (docs.claude.com/en/api/messages-streaming). */
export function renderMessages(reply: ModelReply, rendering: Rendering): Rendered {
  const { asked, number, deltaChars } = rendering;
  const head = {
    id: `msg_${number}`,
    type: "message",
    role: "assistant",
    model: reply.model ?? asked.model,
  };
  const content = blocksOf(reply, number);
  const end = { stop_reason: stopReasons[finishOf(reply)], stop_sequence: null };
  const body = { ...head, content, ...end, usage: usage(reply) };
  const begun = {
    ...head,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...usage(reply), output_tokens: 1 },
  };
  const { completionTokens } = countsOf(reply);
  return {
    body,
    events: [
      { type: "message_start", message: begun },
      { type: "ping" },
      ...content.flatMap((block, index) => blockEvents(block, index, deltaChars)),
      { type: "message_delta", delta: end, usage: { output_tokens: completionTokens } },
      { type: "message_stop" },
    ].map((data): StreamEvent => ({ event: data.type, data })),
  };
}

interface Block extends Fields {
  type: string;
}

function blocksOf(reply: ModelReply, number: number): Block[] {
  return [
    ...(reply.reasoning === undefined
      ? []
      : [{ type: "thinking", thinking: reply.reasoning, signature: `signed-${number}` }]),
    ...(reply.text === undefined ? [] : [{ type: "text", text: reply.text }]),
    ...callsOf(reply, number).map(({ id, name, text }) => ({
      type: "tool_use",
      id,
      name,
      input: JSON.parse(text) as Fields,
    })),
  ];
}

function blockEvents(
  block: Block,
  index: number,
  deltaChars: number,
): { type: string; [key: string]: unknown }[] {
  const deltas = (type: string, field: string, text: string) =>
    pieces(text, deltaChars).map((piece) => ({
      type: "content_block_delta",
      index,
      delta: { type, [field]: piece },
    }));
  const start = (content_block: Fields) => ({ type: "content_block_start", index, content_block });
  const stop = { type: "content_block_stop", index };
  if (block.type === "thinking") {
    const signature = { type: "signature_delta", signature: block.signature };
    return [
      start({ type: "thinking", thinking: "", signature: "" }),
      ...deltas("thinking_delta", "thinking", String(block.thinking)),
      { type: "content_block_delta", index, delta: signature },
      stop,
    ];
  }
  if (block.type === "text") {
    return [start({ type: "text", text: "" }), ...deltas("text_delta", "text", String(block.text)), stop];
  }
  return [
    start({ ...block, input: {} }),
    ...deltas("input_json_delta", "partial_json", JSON.stringify(block.input)),
    stop,
  ];
}

/** Anthropic counts what was read from a cache or written to one apart from `input_tokens`. */
function usage(reply: ModelReply): Fields {
  const { promptTokens, completionTokens, cachedTokens, cacheWriteTokens } = countsOf(reply);
  return {
    input_tokens: promptTokens - cachedTokens - cacheWriteTokens,
    cache_creation_input_tokens: cacheWriteTokens,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}
