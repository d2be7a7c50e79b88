import type { CapturedSession } from "./captured-session.ts";
import { textOfEvents } from "./event-text.ts";
import type { HttpExchange } from "./http-exchange.ts";

/** A body as other recorders keep it: a stream of events as `{ _raw: text }`; everything else as it is. */
export function cleanedBody(body: unknown): unknown {
  if (!hasEvents(body)) return body ?? null;
  const { _events, ...rest } = body;
  return { ...rest, _raw: textOfEvents(_events) };
}

export function hasEvents(body: unknown): body is { _events: unknown[] } {
  return typeof body === "object" && body !== null && "_events" in body && Array.isArray(body._events);
}

/** Milliseconds since the epoch: when an exchange ended. */
export function traceTime({ endedAt }: Pick<HttpExchange, "endedAt">): number {
  return Date.parse(endedAt);
}

/**
 * A session as one JSON document, `{session_id, created_at, traces: [{request, response, ts_ms}]}` (one-shot-bench's
 * `formatted_json`), in pieces, so that sessions of any length pass.
 */
export async function* cleanedSessionText(
  { sessionId, startedAt }: Pick<CapturedSession, "sessionId" | "startedAt">,
  exchanges: AsyncIterable<HttpExchange>,
): AsyncGenerator<string> {
  const head = JSON.stringify({ session_id: sessionId, created_at: startedAt });
  yield `${head.slice(0, -1)},"traces":[`;
  let before = "";
  for await (const exchange of exchanges) {
    yield `${before}${JSON.stringify(cleanedTrace(exchange))}`;
    before = ",";
  }
  yield "]}";
}

function cleanedTrace(exchange: HttpExchange) {
  return {
    request: cleanedBody(exchange.request.body),
    response: cleanedBody(exchange.response?.body),
    ts_ms: traceTime(exchange),
  };
}
