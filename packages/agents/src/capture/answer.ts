import type { IncomingMessage, OutgoingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { messageOf } from "@tracemill/core/errors.ts";
import { isEventStream } from "./body-copy.ts";
import type { OngoingAnswer } from "./exchange.ts";
import { withoutExtraUsage } from "./extra-usage.ts";
import { passedHeaders } from "./headers.ts";
import type { TakenBody } from "./upstream-request.ts";

export interface AnswerOptions {
  /** What of the body was read already. */
  taken?: TakenBody;
  /** Keep the chunk that only the proxy asked for from the client. */
  dropsUsage: boolean;
  now: () => number;
}

/**
 * Gives an answer to the client as it comes, and a copy to `kept`.
 * @param end is told once the upstream has said all, or why it did not.
 */
export function passAnswer(
  answer: IncomingMessage,
  response: ServerResponse,
  kept: OngoingAnswer,
  end: (error?: string) => void,
  { taken, dropsUsage, now }: AnswerOptions,
): void {
  const { statusCode = 502, statusMessage = "", headers, rawHeaders } = answer;
  const isFiltered = dropsUsage && isEventStream(headers["content-type"]);
  const dropped = (name: string): boolean => isFiltered && name === "content-length";
  response.sendDate = false;
  response.writeHead(statusCode, statusMessage, passedHeaders(rawHeaders, headers.connection, dropped));
  // The first byte of a slow model may be far away: the client sees the headers before it.
  setImmediate(() => response.destroyed || response.flushHeaders());
  const body = taken === undefined ? answer : Readable.from(remaining(answer, taken));
  body.once("data", () => {
    kept.firstByteAt = now();
  });
  body.on("data", (chunk: Buffer) => kept.body.push(chunk));
  body.once("end", () => end());
  body.once("error", (error) => {
    end(`the upstream broke off in the middle of its answer: ${messageOf(error)}`);
    response.destroy();
  });
  const flow = isFiltered ? body.pipe(withoutExtraUsage()) : body;
  passBody(flow, response, () => {
    addTrailers(answer, response);
    if (!isEventStream(headers["content-type"])) return response.end();
    // Its last event is with the client: the mark of its end waits until the exchange is given to its session.
    setImmediate(() => response.end());
  });
}

/**
 * Writes what comes at the end of the turn of the event loop in which it came: a burst of events is one write and not
 * fifty. What the client does not take holds the upstream back.
 */
function passBody(body: Readable, response: ServerResponse, end: () => void): void {
  let held: Buffer[] = [];
  const taken = (): Buffer => {
    const bytes = held.length === 1 ? (held[0] ?? Buffer.alloc(0)) : Buffer.concat(held);
    held = [];
    return bytes;
  };
  const write = (): void => {
    if (held.length === 0 || response.write(taken())) return;
    body.pause();
    response.once("drain", () => body.resume());
  };
  body.on("data", (chunk: Buffer) => {
    if (held.length === 0) process.nextTick(write);
    held.push(chunk);
  });
  body.once("end", () => {
    if (held.length > 0) response.write(taken());
    end();
  });
}

async function* remaining(answer: IncomingMessage, { chunks, ended }: TakenBody): AsyncIterable<Buffer> {
  yield* chunks;
  if (!ended) yield* answer;
}

/** Passes on what stands behind a chunked body. */
export function addTrailers({ rawTrailers }: IncomingMessage, to: OutgoingMessage): void {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < rawTrailers.length; index += 2)
    pairs.push([rawTrailers[index] ?? "", rawTrailers[index + 1] ?? ""]);
  if (pairs.length > 0) to.addTrailers(pairs);
}
