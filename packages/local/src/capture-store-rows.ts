import type { SQLInputValue } from "node:sqlite";
import { cleanedBody, hasEvents, traceTime } from "@tracemill/core/capture/cleaned-session.ts";
import { eventsOfText } from "@tracemill/core/capture/event-text.ts";
import { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { parseAs } from "@tracemill/core/validation.ts";

/** An exchange as `traces` has it, and what it has no column for. */
export interface ExchangeRow {
  trace: Record<
    "id" | "ts_ms" | "method" | "url" | "request_json" | "response_json" | "meta_json",
    SQLInputValue
  >;
  detail_json: string;
}

/** How a body lies in `traces`: as JSON, or, of a stream, as the text of its events. */
type BodyForm = "json" | "events";

interface Detail extends Omit<HttpExchange, "request" | "response"> {
  request: { headers: HttpExchange["request"]["headers"] };
  response?: Omit<NonNullable<HttpExchange["response"]>, "body">;
  bodies: { request?: BodyForm; response?: BodyForm };
}

export function rowOfExchange(exchange: HttpExchange): ExchangeRow {
  const { id, sessionId, method, url, request, response } = exchange;
  const meta = {
    status_code: response?.status ?? null,
    headers: response?.headers ?? {},
    session_id: sessionId,
  };
  return {
    trace: {
      id,
      ts_ms: traceTime(exchange),
      method,
      url,
      request_json: JSON.stringify(cleanedBody(request.body)),
      response_json: JSON.stringify(cleanedBody(response?.body)),
      meta_json: JSON.stringify(meta),
    },
    detail_json: JSON.stringify(detailOf(exchange)),
  };
}

function detailOf(exchange: HttpExchange): Detail {
  const { request, response, ...rest } = exchange;
  return {
    ...rest,
    request: { headers: request.headers },
    ...(response === undefined ? {} : { response: { status: response.status, headers: response.headers } }),
    bodies: { ...formOf("request", request.body), ...formOf("response", response?.body) },
  };
}

function formOf(side: "request" | "response", body: unknown): Partial<Record<typeof side, BodyForm>> {
  if (body === undefined) return {};
  return { [side]: hasEvents(body) ? "events" : "json" };
}

/** @throws TracemillError `storage-corrupt`, naming the file and the exchange. */
export function exchangeOfRow(row: Record<string, unknown>, path: string): HttpExchange {
  const where = `${path}: exchange ${String(row.trace_id)}`;
  const { bodies, request, response, ...rest } = jsonOf<Detail>(row.detail_json, where);
  const found = {
    ...rest,
    request: { ...request, ...bodyOf(bodies.request, row.request_json, where) },
    ...(response === undefined
      ? {}
      : { response: { ...response, ...bodyOf(bodies.response, row.response_json, where) } }),
  };
  return parseAs(HttpExchange, found, where, "storage-corrupt");
}

function bodyOf(form: BodyForm | undefined, json: unknown, where: string): { body?: unknown } {
  if (form === undefined) return {};
  const body = jsonOf<unknown>(json, where);
  if (form === "json") return { body };
  const { _raw, ...rest } = body as { _raw: string };
  return { body: { ...rest, _events: eventsOfText(_raw) } };
}

function jsonOf<T>(text: unknown, where: string): T {
  try {
    return JSON.parse(String(text));
  } catch (error) {
    throw new TracemillError(
      "storage-corrupt",
      `${where} is not JSON (${messageOf(error)}); restore the file from a backup`,
      { cause: error },
    );
  }
}
