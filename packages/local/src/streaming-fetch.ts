import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";

/**
 * `fetch`, but that forms are sent in flat memory: Node's own keeps every chunk of a request's body until the last one is
 * sent, so that a file of 800 MB takes 900 MB. Redirects of forms are not followed.
 */
export const streamingFetch: typeof fetch = (input, init) =>
  init?.body instanceof FormData ? sendForm(new URL(String(input)), init, init.body) : fetch(input, init);

async function sendForm(url: URL, init: RequestInit, form: FormData): Promise<Response> {
  const encoded = new Response(form);
  const headers = new Headers(init.headers);
  headers.set("content-type", encoded.headers.get("content-type") ?? "multipart/form-data");
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const request = send(url, {
    method: init.method ?? "POST",
    headers: Object.fromEntries(headers),
    ...(init.signal ? { signal: init.signal } : {}),
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.on("response", resolve).on("error", reject);
  });
  const body = encoded.body as ReadableStream;
  // An answer may come before all is sent, such as a refusal: then it counts, and the rest is not sent.
  const sent = pipeline(body, request);
  sent.catch(() => undefined);
  const message = await answered;
  return toResponse(message, request);
}

function toResponse(message: IncomingMessage, request: { destroy(): void }): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, String(value));
  }
  message.once("close", () => request.destroy());
  const status = message.statusCode ?? 500;
  const hasBody = status !== 204 && status !== 304;
  return new Response(
    hasBody ? (Readable.toWeb(message) as unknown as ConstructorParameters<typeof Response>[0]) : null,
    { status, headers },
  );
}
