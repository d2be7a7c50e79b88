import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import type { Redactor } from "@tracemill/core/redact/redactor.ts";
import { type BodyCopy, bodyCopy, recordedBody } from "./body-copy.ts";
import { readModelExchange } from "./model-reading.ts";
import { recordedUrl } from "./recorded-url.ts";
import type { OwnAnswer } from "./refusal.ts";
import type { SessionState } from "./session-state.ts";
import type { Target } from "./target.ts";

/** One exchange while it lasts. */
export interface OngoingExchange {
  readonly target: Target;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: BodyCopy;
  readonly startedAt: number;
  answer?: OngoingAnswer;
}

export interface OngoingAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: BodyCopy;
  firstByteAt?: number;
}

export interface ExchangeDeps {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Bytes of a body that are kept. */
  bodyLimit: number;
}

export function beginExchange(
  request: IncomingMessage,
  target: Target,
  { now, bodyLimit }: ExchangeDeps,
): OngoingExchange {
  const { method = "GET", headers } = request;
  return { target, method, headers, body: bodyCopy(bodyLimit), startedAt: now() };
}

export function beginAnswer(response: IncomingMessage, { bodyLimit }: ExchangeDeps): OngoingAnswer {
  const { statusCode: status = 0, headers } = response;
  return { status, headers, body: bodyCopy(bodyLimit) };
}

/** An answer in the proxy's own name. */
export function ownAnswer(
  { status, headers, body }: OwnAnswer,
  { now, bodyLimit }: ExchangeDeps,
): OngoingAnswer {
  const kept = bodyCopy(bodyLimit);
  kept.push(Buffer.from(body));
  return { status, headers, body: kept, firstByteAt: now() };
}

/**
 * Counts what the answer used, at once, and then hands the exchange to its session, redacted.
 * @returns `counted` comes before the next request of the session is admitted.
 */
export function endExchange(
  ongoing: OngoingExchange,
  state: SessionState,
  error: string | undefined,
  deps: ExchangeDeps,
): { counted: Promise<void>; recorded: Promise<void> } {
  const { session } = state;
  const endedAt = deps.now();
  const read = async () => {
    const asked = await recordedBody(ongoing.body, ongoing.headers, deps.bodyLimit);
    const { answer } = ongoing;
    const said = answer && (await recordedBody(answer.body, answer.headers, deps.bodyLimit));
    const { protocol, url } = ongoing.target;
    const exchange = {
      protocol,
      path: url.pathname,
      status: answer?.status,
      asked,
      said,
      isCut: error !== undefined,
    };
    const reading = readModelExchange(exchange, session.cost?.bind(session));
    if (reading.usage !== undefined) state.spend(reading.usage);
    return { asked, said, reading };
  };
  const reading = read();
  const record = async () => {
    const { asked, said, reading: of } = await reading;
    if (!ongoing.target.isRecorded) return;
    const { usage, isEstimate, model } = of;
    await session.record({
      ...head(ongoing, session.id, endedAt, session.redactor),
      ...(model === undefined ? {} : { model: session.redactor.text(model) }),
      ...sides(ongoing, asked, said, session.redactor),
      ...(error === undefined ? {} : { error: session.redactor.text(error) }),
      ...(usage === undefined ? {} : { usage }),
      ...(isEstimate === true ? { usageEstimated: true } : {}),
    });
  };
  return { counted: reading.then(() => undefined), recorded: record() };
}

type Head = Pick<
  HttpExchange,
  "kind" | "id" | "sessionId" | "startedAt" | "firstByteAt" | "endedAt" | "method" | "url" | "protocol"
>;

function head(ongoing: OngoingExchange, sessionId: string, endedAt: number, redactor: Redactor): Head {
  const { target, startedAt, answer, method } = ongoing;
  const firstByteAt = answer?.firstByteAt;
  return {
    kind: "http",
    id: randomUUID(),
    sessionId,
    startedAt: iso(startedAt),
    ...(firstByteAt === undefined ? {} : { firstByteAt: iso(firstByteAt) }),
    endedAt: iso(endedAt),
    method,
    url: recordedUrl(target.url, redactor),
    ...(target.protocol === undefined ? {} : { protocol: target.protocol }),
  };
}

function sides(
  { headers, answer }: OngoingExchange,
  asked: unknown,
  said: unknown,
  redactor: Redactor,
): Pick<HttpExchange, "request" | "response"> {
  const request = { headers: redactor.headers(headers), ...body(asked, redactor) };
  if (answer === undefined) return { request };
  const answered = redactor.headers(answer.headers);
  return { request, response: { status: answer.status, headers: answered, ...body(said, redactor) } };
}

function body(value: unknown, redactor: Redactor): { body?: unknown } {
  return value === undefined ? {} : { body: redactor.json(value) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
