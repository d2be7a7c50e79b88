import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { openai, overflows } from "./model-overflows.ts";
import { providerError } from "./model-provider/errors.ts";
import type { Fault, ModelReply } from "./model-provider/reply.ts";

/** Something that goes wrong at a provider, and what a client has to make of it. */
export interface ModelFault {
  name: string;
  reply: ModelReply | Fault;
  /**
   * `again`: the same request is sent once more, after `waitMs` where the provider says when; `answered`: it is no fault
   * to the user; `failed`: the attempt failed, and may be made again; `final`: nothing but the user can mend it.
   */
  outcome: "again" | "answered" | "failed" | "final" | "context-limit" | "refusal" | "length";
  waitMs?: number;
  /** What the user is told. */
  says?: RegExp;
  /** Default: all. */
  protocols?: readonly ModelProtocol[];
}

/** `converse` comes in binary frames, which the AWS SDK reads by itself. */
const http: readonly ModelProtocol[] = ["chat-completions", "responses", "messages"];

/** An answer of this status, type and text, whatever was asked. */
function raw(status: number, contentType: string, body: string): Fault {
  return (response) => void response.writeHead(status, { "content-type": contentType }).end(body);
}

const page = "<!doctype html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";

const limited = { status: 429, message: "Rate limit reached. Please slow down." };

/** The clock of the tests that use these stands at this moment. */
export const faultsBegin = "2026-01-01T00:00:00.000Z";

function inSeconds(seconds: number): Date {
  return new Date(Date.parse(faultsBegin) + seconds * 1_000);
}

const passing: readonly ModelFault[] = [
  { name: "429 without a word of when", reply: providerError(limited), outcome: "again" },
  {
    name: "429 with Retry-After in seconds",
    reply: providerError({ ...limited, headers: { "retry-after": "7" } }),
    outcome: "again",
    waitMs: 7_000,
  },
  {
    name: "429 with Retry-After as a date",
    reply: providerError({ ...limited, headers: { "retry-after": inSeconds(30).toUTCString() } }),
    outcome: "again",
    waitMs: 30_000,
  },
  {
    name: "429 with retry-after-ms",
    reply: providerError({ ...limited, headers: { "retry-after-ms": "1500", "retry-after": "2" } }),
    outcome: "again",
    waitMs: 1_500,
  },
  {
    name: "429 that says when the tokens come back, as OpenAI does",
    reply: providerError({
      ...limited,
      headers: { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m6s" },
    }),
    outcome: "again",
    waitMs: 66_000,
    protocols: openai,
  },
  {
    name: "429 that says when the tokens come back, as Anthropic does",
    reply: providerError({
      ...limited,
      headers: {
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": inSeconds(12).toISOString(),
      },
    }),
    outcome: "again",
    waitMs: 12_000,
    protocols: ["messages"],
  },
  { name: "500", reply: providerError({ status: 500, message: "Internal error." }), outcome: "again" },
  {
    name: "503 while it loads",
    reply: providerError({ status: 503, message: "Loading model" }),
    outcome: "again",
  },
  {
    name: "529, overloaded",
    reply: providerError({ status: 529, message: "Overloaded" }),
    outcome: "again",
    protocols: ["messages"],
  },
  { name: "408", reply: providerError({ status: 408, message: "The request timed out." }), outcome: "again" },
  { name: "a connection that is reset", reply: (response) => void response.destroy(), outcome: "again" },
  {
    name: "a stream that is cut",
    reply: { text: "Half of what was to come", breakOff: { afterEvents: 3, how: "cut" } },
    outcome: "again",
  },
  {
    name: "a stream that ends too early",
    reply: { text: "Half of what was to come", breakOff: { afterEvents: 3, how: "end" } },
    outcome: "again",
  },
  {
    name: "an error in the middle of a stream",
    reply: { text: "Half of what was to come", breakOff: { afterEvents: 3, how: "error" } },
    outcome: "again",
  },
  {
    name: "a stream that stops and says nothing more",
    reply: { text: "Half of what was to come", breakOff: { afterEvents: 3, how: "stall" } },
    outcome: "again",
  },
  {
    name: "half a JSON",
    reply: raw(200, "application/json", '{"choices": ['),
    outcome: "again",
    protocols: http,
  },
  { name: "an empty answer", reply: raw(200, "application/json", ""), outcome: "again", protocols: http },
  { name: "an empty stream", reply: raw(200, "text/event-stream", ""), outcome: "again", protocols: http },
  { name: "a gateway's web page", reply: raw(502, "text/html", page), outcome: "again" },
  {
    name: "an error with status 200, as routers send it",
    reply: raw(200, "application/json", '{"error":{"message":"upstream died","code":502}}'),
    outcome: "again",
    protocols: http,
  },
  {
    name: "an answer that the server aborted",
    reply: raw(
      200,
      "application/json",
      '{"choices":[{"index":0,"message":{"role":"assistant","content":"Half. insufficient_quota"},"finish_reason":"abort"}]}',
    ),
    outcome: "again",
    protocols: ["chat-completions"],
  },
];

const harmless: readonly ModelFault[] = [
  {
    name: "a first byte that comes late",
    reply: { text: "Here.", pace: { firstByteMs: 300 } },
    outcome: "answered",
  },
  {
    name: "an answer in pieces of seven bytes",
    reply: { text: "Here: é, 漢字, 🙂.", pace: { chunkBytes: 7 } },
    outcome: "answered",
  },
  {
    name: "an answer that is cut off at the limit",
    reply: { text: "Once", finish: "length" },
    outcome: "length",
  },
  { name: "a refusal", reply: { text: "I cannot.", finish: "refusal" }, outcome: "refusal" },
  {
    name: "a prompt that a filter refuses",
    reply: providerError({ status: 400, message: "Filtered by policy.", type: "content_filter" }),
    outcome: "refusal",
    says: /Filtered by policy/,
    protocols: openai,
  },
];

const hopeless: readonly ModelFault[] = [
  {
    name: "a web page with status 200",
    reply: raw(200, "text/html", page),
    outcome: "failed",
    says: /web page.*base URL/,
    protocols: http,
  },
  {
    name: "401",
    reply: providerError({ status: 401, message: "Incorrect API key provided: sk-secret-key." }),
    outcome: "final",
    says: /HTTP 401: Incorrect API key provided: \*\*\*\. The server wants another API key/,
    protocols: http,
  },
  {
    name: "403",
    reply: providerError({ status: 403, message: "You may not use this model." }),
    outcome: "final",
    says: /may not use this model/,
  },
  {
    name: "404, no such model",
    reply: providerError({ status: 404, message: "No such model: test-model" }),
    outcome: "final",
    says: /No such model.*Check the model's/,
  },
  {
    name: "402",
    reply: providerError({ status: 402, message: "Insufficient balance" }),
    outcome: "final",
    says: /Insufficient balance.*no money/,
    protocols: openai,
  },
  {
    name: "a quota that is used up",
    reply: providerError({
      status: 429,
      message: "You exceeded your current quota.",
      type: "insufficient_quota",
    }),
    outcome: "final",
    says: /exceeded your current quota/,
    protocols: openai,
  },
  {
    name: "a redirect",
    reply: (response) => void response.writeHead(308, { location: "https://elsewhere.test/" }).end(),
    outcome: "final",
    says: /HTTP 308.*redirects/,
    protocols: http,
  },
  {
    name: "400",
    reply: providerError({ status: 400, message: "Invalid 'tools'" }),
    outcome: "final",
    says: /Invalid 'tools'/,
  },
  {
    name: "a wait that is too long",
    reply: providerError({ ...limited, headers: { "retry-after": "3600" } }),
    outcome: "failed",
    says: /slow down.*asks to wait 60 minutes/,
  },
];

const overflowFaults = overflows.map(
  ([who, status, message, protocols, type]): ModelFault => ({
    name: `a conversation that is too long, as ${who} says it: ${message.slice(0, 40)}`,
    reply: providerError({ status, message, ...(type === undefined || status === 413 ? {} : { type }) }),
    outcome: "context-limit",
    protocols,
  }),
);

export const modelFaults: readonly ModelFault[] = [...passing, ...harmless, ...hopeless, ...overflowFaults];

/** Those that a server of this protocol can have. */
export function faultsOf(protocol: ModelProtocol): ModelFault[] {
  return modelFaults.filter(({ protocols }) => protocols === undefined || protocols.includes(protocol));
}
