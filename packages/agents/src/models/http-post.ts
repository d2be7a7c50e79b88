import {
  Agent,
  type AgentOptions,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from "node:http";
import { request as requestHttps, Agent as TlsAgent } from "node:https";

/** Connections to model servers; made once for a process. */
export interface Connections {
  http: Agent;
  https: TlsAgent;
}

export interface HttpReply {
  status: number;
  headers: IncomingHttpHeaders;
  /** Ends with an error when the connection breaks off or a limit is reached. */
  body: AsyncIterable<Buffer>;
}

export interface HttpOptions {
  headers: Record<string, string>;
  /** Milliseconds for all of it, the answer's body included. */
  timeoutMs: number;
  /** Milliseconds that the body may be silent once its first byte came. */
  idleMs: number;
  signal: AbortSignal;
  connections?: Connections | undefined;
}

/** An answer of 100,000 tokens with their ids and log probabilities takes some 15 MB. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** Where no proxy is asked, whatever `NO_PROXY` says: from there, this machine is another one. */
const ownAddresses = "localhost,127.0.0.1,::1,[::1]";

/**
 * Connections that are used again.
 * @param proxies `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` as the environment has them; others are not looked at.
 */
export function modelConnections(proxies: Readonly<Record<string, string | undefined>> = {}): Connections {
  const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY = "" } = proxies;
  const proxyEnv = {
    HTTP_PROXY: proxyUrl(HTTP_PROXY),
    HTTPS_PROXY: proxyUrl(HTTPS_PROXY),
    NO_PROXY: NO_PROXY === "" ? ownAddresses : `${NO_PROXY},${ownAddresses}`,
  };
  const options: AgentOptions = { keepAlive: true, proxyEnv };
  return { http: new Agent(options), https: new TlsAgent(options) };
}

/** Many programs take `HOST:PORT`, which Node passes over without a word. */
function proxyUrl(value: string | undefined): string | undefined {
  return value === undefined || value.includes("://") ? value : `http://${value}`;
}

/**
 * Posts JSON. Follows no redirect.
 *
 * Not `fetch`: Node's gives up when no header came for 300 s, and a server that does not stream sends none before
 * the last token.
 * @throws Error of the network, of a limit, or the signal's.
 */
export function postJson(url: URL, body: string, options: HttpOptions): Promise<HttpReply> {
  const headers = { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
  return send(url, { ...options, method: "POST", headers: { ...headers, ...options.headers } }, body);
}

/** The same for reading. */
export function getFrom(url: URL, options: HttpOptions): Promise<HttpReply> {
  return send(url, { ...options, method: "GET" });
}

function send(url: URL, options: HttpOptions & { method: string }, body?: string): Promise<HttpReply> {
  const { method, headers, signal, connections, timeoutMs } = options;
  const isTls = url.protocol === "https:";
  const agent = isTls ? connections?.https : connections?.http;
  const { promise, resolve, reject } = Promise.withResolvers<HttpReply>();
  let received: IncomingMessage | undefined;
  const request = (isTls ? requestHttps : requestHttp)(
    url,
    { method, signal, headers: { accept: "application/json, text/event-stream", ...headers }, agent },
    (response) => {
      const { statusCode: status = 0, headers: answered } = response;
      received = response;
      resolve({ status, headers: answered, body: bounded(response, options) });
    },
  );
  const giveUp = (): void => {
    (received ?? request).destroy(new Error(`no whole answer within ${Math.round(timeoutMs / 1_000)} s`));
  };
  const timer = setTimeout(giveUp, timeoutMs);
  request.on("error", reject);
  request.on("close", () => clearTimeout(timer));
  request.end(body);
  return promise;
}

async function* bounded(response: IncomingMessage, { idleMs }: HttpOptions): AsyncGenerator<Buffer> {
  const fall = (): void => {
    response.destroy(new Error(`the answer stopped: nothing came for ${Math.round(idleMs / 1_000)} s`));
  };
  let size = 0;
  let timer: NodeJS.Timeout | undefined;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      clearTimeout(timer);
      size += chunk.length;
      if (size > maxAnswerBytes) throw new Error(`the answer is larger than ${maxAnswerBytes} bytes`);
      yield chunk;
      timer = setTimeout(fall, idleMs);
    }
  } finally {
    clearTimeout(timer);
    // A reader that has enough leaves: what it does not read is not waited for.
    if (!response.complete) response.destroy();
  }
}
