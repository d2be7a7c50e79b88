import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";

/** What goes wrong with a request. */
export type Fault =
  /** It never gets through: this is the answer. */
  | { status: number; body?: string; headers?: Record<string, string> }
  /** The connection breaks while its body is on the way. */
  | "cut"
  /** It gets through and has its effect, and the connection breaks before the answer comes. */
  | "lose-answer"
  /** The connection breaks after half of the answer. */
  | "cut-answer";

export interface SeenRequest {
  method: string;
  /** Path and query. */
  url: string;
  /** For example `UpdateItem`; empty for S3. */
  action: string;
}

export interface FaultProxy {
  endpoint: string;
  /** Asked about every request; the newest rule stands. */
  rule(rule: (request: SeenRequest) => Fault | undefined): void;
  /** All requests so far, in order. */
  readonly seen: readonly SeenRequest[];
  close(): Promise<void>;
}

/** Stands between a client and an emulator, and breaks what it is told to break. Listens on 127.0.0.1. */
export async function startFaultProxy(upstream = "http://127.0.0.1:1"): Promise<FaultProxy> {
  const seen: SeenRequest[] = [];
  let decide: (request: SeenRequest) => Fault | undefined = () => undefined;
  const server = createServer((incoming, answer) => {
    const target = String(incoming.headers["x-amz-target"] ?? "");
    const request: SeenRequest = {
      method: incoming.method ?? "",
      url: incoming.url ?? "",
      action: target.slice(target.lastIndexOf(".") + 1),
    };
    seen.push(request);
    handle(upstream, incoming, answer, decide(request)).catch(() => incoming.socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    rule: (rule) => {
      decide = rule;
    },
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function handle(
  upstream: string,
  incoming: IncomingMessage,
  answer: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault === "cut") {
    incoming.once("data", () => incoming.socket.destroy());
    incoming.once("end", () => incoming.socket.destroy());
    return;
  }
  const body = await bytesOf(incoming);
  if (typeof fault === "object") {
    answer.writeHead(fault.status, fault.headers).end(fault.body);
    return;
  }
  const { response, content } = await forward(upstream, incoming, body);
  if (fault === "lose-answer") {
    incoming.socket.destroy();
    return;
  }
  const status = response.statusCode ?? 502;
  const headers = { ...response.headers };
  // The whole is in memory: its length is known, and a HEAD keeps the one that it tells.
  if (incoming.method !== "HEAD") headers["content-length"] = String(content.byteLength);
  delete headers["transfer-encoding"];
  answer.writeHead(status, headers);
  if (fault !== "cut-answer") {
    answer.end(content);
    return;
  }
  answer.write(content.subarray(0, content.byteLength / 2), () =>
    setImmediate(() => incoming.socket.destroy()),
  );
}

async function forward(
  upstream: string,
  incoming: IncomingMessage,
  body: Buffer,
): Promise<{ response: IncomingMessage; content: Buffer }> {
  const { hostname, port } = new URL(upstream);
  const { method, url, headers } = incoming;
  const request = httpRequest({ hostname, port, method, path: url, headers });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return { response, content: await bytesOf(response) };
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
