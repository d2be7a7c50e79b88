import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type ModelProtocol, protocolOfPath } from "@tracemill/core/protocols/protocol.ts";
import { type AskedModel, readAsked } from "./model-provider/asked.ts";
import { renderChat } from "./model-provider/chat.ts";
import { eventFrame, renderConverse } from "./model-provider/converse.ts";
import { errorAnswer } from "./model-provider/errors.ts";
import { renderMessages } from "./model-provider/messages.ts";
import type { BreakOff, Fault, ModelReply, Pace, Rendered, StreamEvent } from "./model-provider/reply.ts";
import { renderResponses } from "./model-provider/responses.ts";

export interface ModelProviderOptions {
  /** What the model says, or what goes wrong. `before`: how many requests to a model came before this one. */
  script: (asked: AskedModel, before: number) => ModelReply | Fault | Promise<ModelReply | Fault>;
  /** HTTPS with this key and certificate (PEM), whatever host name a client believes it talks to. */
  tls?: { key: string; cert: string };
  /** Default: a free one. */
  port?: number;
  /** What `/v1/models` lists. */
  models?: string[];
  /** Of replies that have no pace of their own. */
  pace?: Pace;
}

export interface ModelProvider extends AsyncDisposable {
  port: number;
  /** `http://127.0.0.1:PORT` */
  origin: string;
  /** What clients of the protocol take as base URL: with `/v1` for OpenAI's two, without for the others. */
  baseUrl(protocol: ModelProtocol): string;
  /** Requests to a model, in their order. */
  asked: AskedModel[];
  /** All other requests: `GET /v1/models`. */
  others: string[];
}

const renderers = {
  "chat-completions": renderChat,
  responses: renderResponses,
  messages: renderMessages,
  converse: renderConverse,
};

/**
 * A server on this machine that speaks chat completions, responses, messages and Bedrock's converse, streamed and not,
 * from one script. Upgrades to WebSocket are answered 426, as the capture proxy does.
 */
export async function modelProvider(options: ModelProviderOptions): Promise<ModelProvider> {
  const asked: AskedModel[] = [];
  const others: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const rawBody = Buffer.concat(await Array.fromAsync<Buffer>(request)).toString("utf8");
    const { url: path = "", method = "", headers } = request;
    const protocol = method === "POST" ? protocolOfPath(path) : undefined;
    if (protocol === undefined || headers.upgrade !== undefined) {
      others.push(`${method} ${path}`);
      const { status, body } = answerOther(request, options.models ?? ["test-model"]);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      return;
    }
    const one = readAsked(protocol, { method, path, headers, rawBody });
    const number = asked.push(one);
    const reply = await options.script(one, number - 1);
    if (typeof reply === "function") return reply(response, one);
    await send(response, one, reply, { number, pace: { ...options.pace, ...reply.pace } });
  };
  const server = serverOf(options, (request, response) => {
    answer(request, response).catch((error: unknown) => failed(response, error));
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const origin = `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  return {
    port,
    origin,
    baseUrl: (protocol) => (protocol === "messages" || protocol === "converse" ? origin : `${origin}/v1`),
    asked,
    others,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function serverOf({ tls }: ModelProviderOptions, listener: RequestListener) {
  return tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
}

/** A script that fails is the test's fault: it is seen as what no model says. */
function failed(response: ServerResponse, error: unknown): void {
  if (response.destroyed) return;
  if (!response.headersSent) response.writeHead(599, { "content-type": "text/plain" });
  response.end(`the script failed: ${String(error)}`);
}

function answerOther(request: IncomingMessage, models: readonly string[]): { status: number; body: unknown } {
  const path = (request.url ?? "").replace(/\?.*$/, "");
  if (request.headers.upgrade !== undefined) return { status: 426, body: { error: "no WebSocket here" } };
  if (path.endsWith("/models")) {
    const data = models.map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "test" }));
    return { status: 200, body: { object: "list", data } };
  }
  if (path.endsWith("/count_tokens")) return { status: 200, body: { input_tokens: 100 } };
  if (path === "/" || path.startsWith("/api/") || path.endsWith("/health")) return { status: 200, body: {} };
  return { status: 404, body: { error: { message: `no such path: ${path}`, type: "not_found_error" } } };
}

async function send(
  response: ServerResponse,
  asked: AskedModel,
  reply: ModelReply,
  { number, pace }: { number: number; pace: Pace },
): Promise<void> {
  const rendered: Rendered = renderers[asked.protocol](reply, {
    asked,
    number,
    deltaChars: pace.deltaChars ?? 8,
  });
  if (pace.firstByteMs !== undefined) await sleep(pace.firstByteMs);
  const requestId = asked.protocol === "messages" ? "request-id" : "x-request-id";
  response.setHeader(requestId, `req_${number}`);
  if (!asked.stream) {
    response.setHeader("content-type", "application/json");
    return write(response, [Buffer.from(JSON.stringify(rendered.body))], pace).then(
      () => void response.end(),
    );
  }
  const isBinary = asked.protocol === "converse";
  response.setHeader(
    "content-type",
    isBinary ? "application/vnd.amazon.eventstream" : "text/event-stream; charset=utf-8",
  );
  response.setHeader("cache-control", "no-cache");
  const { afterEvents, how } = reply.breakOff ?? { afterEvents: rendered.events.length, how: "end" as const };
  const sent = rendered.events.slice(0, afterEvents).map((event) => encode(event, isBinary));
  await write(response, sent, pace);
  await end(response, asked.protocol, how);
}

function encode(event: StreamEvent, isBinary: boolean): Buffer {
  return isBinary ? eventFrame(event) : Buffer.from(eventText(event));
}

function eventText({ event, data }: StreamEvent): string {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${text}\n\n`;
}

async function write(response: ServerResponse, events: readonly Buffer[], pace: Pace): Promise<void> {
  const whole = pace.chunkBytes === undefined ? events : chunks(Buffer.concat(events), pace.chunkBytes);
  for (const [index, chunk] of whole.entries()) {
    if (response.destroyed) return;
    if (index > 0 && pace.delayMs !== undefined) await sleep(pace.delayMs);
    if (!response.write(chunk) && !response.destroyed) {
      await Promise.race([once(response, "drain"), once(response, "close")]);
    }
  }
}

function chunks(bytes: Buffer, size: number): Buffer[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}

async function end(response: ServerResponse, protocol: ModelProtocol, how: BreakOff): Promise<void> {
  if (how === "stall") return;
  if (how === "cut") {
    // What was written has to reach the client before the connection dies.
    await sleep(20);
    response.destroy();
    return;
  }
  if (how === "error") {
    const error = errorAnswer(protocol, { status: 500, message: "the engine gave up" });
    response.write(
      protocol === "converse"
        ? eventFrame({ event: "internalServerException", data: error.body }, "exception")
        : eventText(error.event),
    );
  }
  response.end();
}
