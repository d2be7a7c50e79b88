import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface PostOptions {
  headers: Record<string, string>;
  /** Milliseconds for all of it, the answer's body included. */
  timeoutMs: number;
  signal: AbortSignal;
}

/** An answer of 100,000 tokens with their ids and log probabilities takes some 15 MB. */
const maxAnswerBytes = 64 * 1024 * 1024;

/**
 * Posts JSON and reads the answer whole, whatever its status; follows no redirect.
 *
 * Not `fetch`: Node's gives up when no header came for 300 s, and a server that does not stream sends none before
 * the last token.
 * @throws Error of the network, of the time limit, or the signal's.
 */
export function postJson(url: URL, body: string, options: PostOptions): Promise<HttpAnswer> {
  const { headers, timeoutMs, signal } = options;
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const length = String(Buffer.byteLength(body));
  const sent = request(
    url,
    {
      method: "POST",
      signal,
      headers: {
        accept: "application/json",
        "content-type": "application/json",
        "content-length": length,
        ...headers,
      },
    },
    (response) => {
      const { statusCode: status = 0, headers: answered } = response;
      readText(response).then((text) => resolve({ status, headers: answered, text }), reject);
    },
  );
  const giveUp = (): void => {
    const error = new Error(`no whole answer within ${Math.round(timeoutMs / 1_000)} s`);
    reject(error);
    sent.destroy(error);
  };
  const timer = setTimeout(giveUp, timeoutMs);
  sent.on("error", reject);
  sent.on("close", () => clearTimeout(timer));
  sent.end(body);
  return promise;
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new Error(`the answer is larger than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
