import type { ServerResponse } from "node:http";
import type { AskedModel, Fields } from "./asked.ts";

/** What the model says, the same in every protocol. */
export interface ModelReply {
  text?: string;
  reasoning?: string;
  /** `arguments` as an object, or as the very text that the model wrote. */
  toolCalls?: readonly { id?: string; name: string; arguments: Fields | string }[];
  /** Default: what the content asks for. */
  finish?: "stop" | "tool-calls" | "length" | "refusal";
  /** `promptTokens` includes the cached ones and those written to the cache. Default: 100, 10, 0, 0. */
  usage?: {
    promptTokens: number;
    completionTokens: number;
    cachedTokens?: number;
    cacheWriteTokens?: number;
    reasoningTokens?: number;
  };
  /** What the answer says its model is. Default: what was asked for. */
  model?: string;
  /** Chat completions alone, as vLLM gives them. */
  tokens?: { prompt?: number[]; completion?: number[]; logprobs?: number[] };
  pace?: Pace;
  /** What goes wrong with a streamed answer, and after how many of its events. */
  breakOff?: { afterEvents: number; how: BreakOff };
}

/** `cut`: the connection dies; `end`: the stream ends as if whole; `stall`: nothing more comes; `error`: an error event. */
export type BreakOff = "cut" | "end" | "stall" | "error";

/** How an answer comes over the wire. */
export interface Pace {
  /** Characters of a streamed delta. Default: 8. */
  deltaChars?: number;
  /** Bytes of a write, whatever the events' borders are. Default: an event a write. */
  chunkBytes?: number;
  /** Milliseconds between writes. */
  delayMs?: number;
  /** Milliseconds before the first byte. */
  firstByteMs?: number;
}

/** Plays with the connection itself. */
export type Fault = (response: ServerResponse, asked: AskedModel) => void | Promise<void>;

/** One event of a stream; a `string` is sent as it is. */
export interface StreamEvent {
  event?: string;
  data: Fields | string;
}

/** An answer in the form of one protocol, whole and as a stream. */
export interface Rendered {
  body: Fields;
  events: StreamEvent[];
}

/** What a protocol's writer gets beside the reply. */
export interface Rendering {
  asked: AskedModel;
  /** 1, 2, 3, … over the server's life: ids are made of it. */
  number: number;
  deltaChars: number;
}

export interface NumberedCall {
  id: string;
  name: string;
  /** JSON text, or bare text for a tool that takes such. */
  text: string;
}

/** The reply's calls, with ids `call_2_1` where it names none. */
export function callsOf(reply: ModelReply, number: number): NumberedCall[] {
  return (reply.toolCalls ?? []).map((call, index) => ({
    id: call.id ?? `call_${number}_${index + 1}`,
    name: call.name,
    text: typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments),
  }));
}

export function finishOf(reply: ModelReply): NonNullable<ModelReply["finish"]> {
  return reply.finish ?? ((reply.toolCalls ?? []).length > 0 ? "tool-calls" : "stop");
}

export function countsOf({ usage }: ModelReply): Required<NonNullable<ModelReply["usage"]>> {
  const none = { cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
  return { ...none, ...(usage ?? { promptTokens: 100, completionTokens: 10 }) };
}

/** Cuts a text into the pieces that deltas carry; never through a surrogate pair. */
export function pieces(text: string, size: number): string[] {
  const characters = [...text];
  const count = Math.ceil(characters.length / size);
  return Array.from({ length: count }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(""),
  );
}
