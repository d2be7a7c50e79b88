import { messageOf } from "@tracemill/core/errors.ts";
import type { ModelRequest } from "@tracemill/core/ports/model-client.ts";
import { assembler } from "@tracemill/core/protocols/assemble.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { sseParser } from "@tracemill/core/protocols/sse.ts";
import type { StreamParser } from "@tracemill/core/protocols/stream-event.ts";
import { streamParserOf } from "@tracemill/core/protocols/stream-parser.ts";
import type { HttpReply } from "./http-post.ts";

/** An answer as it came, whatever it says. */
export interface Reply extends Pick<HttpReply, "status" | "headers"> {
  /** What was said, for words in it; empty for a stream. */
  text: string;
  /** Parsed, and assembled where it was streamed; `undefined` for what is no JSON. */
  body: unknown;
  /** How a stream ended. */
  stream?: { state: "open" | "whole" | "failed"; error: unknown };
}

/**
 * Reads an answer to its end, streamed or not: a server may not stream although it was asked to, and what it calls the
 * one is sometimes the other.
 * @throws Error of the connection, for an answer that is not streamed; a stream that breaks off says so in `state`.
 */
export async function readReply(
  { status, headers, body }: HttpReply,
  protocol: ModelProtocol,
  onDelta: ModelRequest["onDelta"],
): Promise<Reply> {
  const chunks: Buffer[] = [];
  const pieces = body[Symbol.asyncIterator]();
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
    chunks.push(next.value);
    if (!/\S/.test(next.value.toString("latin1"))) continue;
    const parser = isGood(status) ? parserOf(headers["content-type"], Buffer.concat(chunks)) : undefined;
    if (parser === undefined) break;
    const stream = await readStream(parser, restOf(chunks, pieces), protocol, onDelta);
    return { status, headers, text: "", ...stream };
  }
  const whole = await Array.fromAsync(restOf(chunks, pieces));
  const text = Buffer.concat(whole).toString("utf8");
  return { status, headers, text, body: parsed(text) };
}

function isGood(status: number): boolean {
  return status >= 200 && status < 300;
}

/** What begins as JSON or a page is no stream, and what begins as events is one, whatever it is called. */
function parserOf(contentType: string | undefined, start: Buffer): StreamParser | undefined {
  const text = start
    .subarray(0, 64)
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart();
  if (/^(?:data|event|id|retry)?:/.test(text)) return sseParser();
  return /^[{[<]/.test(text) ? undefined : streamParserOf(contentType);
}

/** A reader that leaves early leaves the connection too. */
async function* restOf(begun: readonly Buffer[], pieces: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* begun;
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
  } finally {
    await pieces.return?.();
  }
}

async function readStream(
  parser: StreamParser,
  body: AsyncIterable<Buffer>,
  protocol: ModelProtocol,
  onDelta: ModelRequest["onDelta"],
): Promise<Pick<Reply, "body" | "stream">> {
  const assembled = assembler(protocol);
  const push = (events: readonly { data: unknown }[]): void => {
    for (const { data } of events) {
      const delta = assembled.push(data);
      if (delta.text !== undefined || delta.reasoning !== undefined) onDelta?.(delta);
    }
  };
  let broken: unknown;
  try {
    for await (const chunk of body) push(parser.push(chunk));
    push(parser.end());
  } catch (error) {
    broken = { message: messageOf(error) };
  }
  const { state, error } = assembled;
  return { body: assembled.body(), stream: { state, error: error ?? broken } };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
