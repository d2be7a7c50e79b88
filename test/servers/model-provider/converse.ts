import { crc32 } from "node:zlib";
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
  refusal: "content_filtered",
} as const;

/** An answer of Bedrock's Converse and ConverseStream (docs.aws.amazon.com/bedrock/latest/APIReference). */
export function renderConverse(reply: ModelReply, { number, deltaChars }: Rendering): Rendered {
  const content = blocksOf(reply, number);
  const stopReason = stopReasons[finishOf(reply)];
  const metadata = { usage: usage(reply), metrics: { latencyMs: 1 } };
  return {
    body: { output: { message: { role: "assistant", content } }, stopReason, ...metadata },
    events: [
      { event: "messageStart", data: { role: "assistant" } },
      ...content.flatMap((block, index) => blockEvents(block, index, deltaChars)),
      { event: "messageStop", data: { stopReason } },
      { event: "metadata", data: metadata },
    ],
  };
}

interface Block extends Fields {
  text?: string;
  toolUse?: { toolUseId: string; name: string; input: Fields };
  reasoningContent?: { reasoningText: { text: string; signature: string } };
}

function blocksOf(reply: ModelReply, number: number): Block[] {
  const reasoningText = { text: reply.reasoning ?? "", signature: `signed-${number}` };
  return [
    ...(reply.reasoning === undefined ? [] : [{ reasoningContent: { reasoningText } }]),
    ...(reply.text === undefined ? [] : [{ text: reply.text }]),
    ...callsOf(reply, number).map(({ id, name, text }) => ({
      toolUse: { toolUseId: id, name, input: JSON.parse(text) as Fields },
    })),
  ];
}

function blockEvents(block: Block, index: number, deltaChars: number): StreamEvent[] {
  const delta = (value: Fields): StreamEvent => ({
    event: "contentBlockDelta",
    data: { contentBlockIndex: index, delta: value },
  });
  const stop: StreamEvent = { event: "contentBlockStop", data: { contentBlockIndex: index } };
  if (block.toolUse !== undefined) {
    const { input, ...use } = block.toolUse;
    const start = { contentBlockIndex: index, start: { toolUse: use } };
    const deltas = pieces(JSON.stringify(input), deltaChars).map((piece) =>
      delta({ toolUse: { input: piece } }),
    );
    return [{ event: "contentBlockStart", data: start }, ...deltas, stop];
  }
  const reasoning = block.reasoningContent?.reasoningText;
  if (reasoning === undefined) {
    return [...pieces(block.text ?? "", deltaChars).map((text) => delta({ text })), stop];
  }
  return [
    ...pieces(reasoning.text, deltaChars).map((text) => delta({ reasoningContent: { text } })),
    delta({ reasoningContent: { signature: reasoning.signature } }),
    stop,
  ];
}

function usage(reply: ModelReply): Fields {
  const { promptTokens, completionTokens, cachedTokens, cacheWriteTokens } = countsOf(reply);
  return {
    inputTokens: promptTokens - cachedTokens - cacheWriteTokens,
    outputTokens: completionTokens,
    totalTokens: promptTokens + completionTokens,
    cacheReadInputTokens: cachedTokens,
    cacheWriteInputTokens: cacheWriteTokens,
  };
}

/** A message of `application/vnd.amazon.eventstream`: lengths, headers, payload, each half with its CRC-32. */
export function eventFrame({ event = "", data }: StreamEvent, type: "event" | "exception" = "event"): Buffer {
  const kind = type === "event" ? ":event-type" : ":exception-type";
  const headers = Buffer.concat([
    header(kind, event),
    header(":content-type", "application/json"),
    header(":message-type", type),
  ]);
  const payload = Buffer.from(typeof data === "string" ? data : JSON.stringify(data));
  const frame = Buffer.alloc(16 + headers.length + payload.length);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt32BE(headers.length, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  headers.copy(frame, 12);
  payload.copy(frame, 12 + headers.length);
  frame.writeUInt32BE(crc32(frame.subarray(0, -4)), frame.length - 4);
  return frame;
}

const stringType = 7;

function header(name: string, value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.concat([
    Buffer.from([name.length]),
    Buffer.from(name),
    Buffer.from([stringType, 0, 0]),
  ]);
  head.writeUInt16BE(bytes.length, head.length - 2);
  return Buffer.concat([head, bytes]);
}
