import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  request as requestHttp,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, createServer as createListener, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { CaptureProxy, CaptureSession } from "@tracemill/agents/capture/capture.ts";
import { type CertificateAuthority, openAuthority } from "@tracemill/agents/capture/certificate-authority.ts";
import {
  type CaptureProxyDeps,
  type CaptureProxyOptions,
  openCaptureProxy,
} from "@tracemill/agents/capture/proxy.ts";
import { certificatePem, type Name } from "@tracemill/agents/capture/x509.ts";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import type { ModelUpstream } from "@tracemill/core/ports/model-access.ts";
import type { Redactor } from "@tracemill/core/redact/redactor.ts";
import { tempDir } from "../fakes/temp-dir.ts";

/** A web server on 127.0.0.1, by TLS when it has a host's name: that of its certificate. */
export interface Upstream extends AsyncDisposable {
  url: string;
  port: number;
  /** PEM of what signed its certificate. */
  ca: string;
}

export async function startUpstream(listener: RequestListener, host?: string): Promise<Upstream> {
  const { ca, ...credentials } = credentialsFor(host ?? "localhost");
  const server = host === undefined ? createHttpServer(listener) : createHttpsServer(credentials, listener);
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `${host === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    port,
    ca,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server.close(), "close");
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A key and a certificate for a host, and the authority that signed it. */
export function credentialsFor(host: string): { key: string; cert: string; ca: string } {
  const signer = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer: Name = [["CN", "Upstream test authority"]];
  const common = {
    issuer,
    issuerPublicKey: signer.publicKey,
    issuerPrivateKey: signer.privateKey,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
  };
  const ca = certificatePem({
    ...common,
    subject: issuer,
    publicKey: signer.publicKey,
    serial: randomBytes(8),
    use: "authority",
  });
  const cert = certificatePem({
    ...common,
    subject: [["CN", host]],
    publicKey: leaf.publicKey,
    serial: randomBytes(8),
    use: { host },
  });
  return { key: leaf.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert, ca };
}

/** Takes out what it was told, and the headers that hold credentials. */
export function plainRedactor(): Redactor {
  const secrets = new Set<string>();
  const text = (value: string): string => {
    let clean = value;
    for (const secret of secrets) clean = clean.replaceAll(secret, "[REDACTED:known]");
    return clean;
  };
  return {
    text,
    json: (value) => {
      const before = JSON.stringify(value);
      const after = text(before);
      return after === before ? value : JSON.parse(after);
    },
    headers: (headers) => {
      const pairs = Object.entries(headers).map(([name, value]) => [
        name.toLowerCase(),
        /auth|key|cookie/i.test(name) ? "[REDACTED:header]" : value,
      ]);
      return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
    },
    addSecret: (value) => secrets.add(value),
    counts: {},
  };
}

export type TestSession = CaptureSession & { exchanges: HttpExchange[] };

export function testSession(id: string, more: Partial<CaptureSession> = {}): TestSession {
  const exchanges: HttpExchange[] = [];
  const record = (exchange: HttpExchange): void => {
    exchanges.push(exchange);
  };
  return { id, redactor: plainRedactor(), record, ...more, exchanges };
}

export interface CaptureWorld extends AsyncDisposable {
  proxy: CaptureProxy;
  authority: CertificateAuthority;
  /** The listener: sessions are made by the name that a client gives with the token `t`. */
  port: number;
  sessions: Map<string, TestSession>;
  /** What was told of exchanges that could not be recorded. */
  problems: unknown[];
}

/** A proxy with a listener; sessions of its clients get `more`. */
export async function captureWorld(
  options: Partial<CaptureProxyOptions> = {},
  more: (name: string) => Partial<CaptureSession> = () => ({}),
  deps: Partial<CaptureProxyDeps> = {},
): Promise<CaptureWorld> {
  const dir = await tempDir();
  const authority = await openAuthority(dir.path);
  const problems: unknown[] = [];
  const onProblem = (error: unknown): void => {
    problems.push(error);
  };
  const proxy = await openCaptureProxy({ authority, intercept: [], onProblem, ...options }, deps);
  const sessions = new Map<string, TestSession>();
  const { port } = await proxy.listen(0, (name, token) => {
    if (token !== "t") return undefined;
    const session = sessions.get(name) ?? testSession(name, more(name));
    sessions.set(name, session);
    return session;
  });
  return {
    proxy,
    authority,
    port,
    sessions,
    problems,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** A connection to `host:port` through the proxy, as the session of that name. */
export async function connectThrough(
  port: number,
  to: string,
  session: string,
): Promise<{ socket: Socket; status: number; answer: string }> {
  const socket = connect(port, "127.0.0.1");
  const credential = proxyCredential(session);
  socket.write(`CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\nProxy-Authorization: ${credential}\r\n\r\n`);
  let answer = "";
  while (!answer.includes("\r\n\r\n")) {
    const [chunk] = await once(socket, "data");
    answer += chunk;
  }
  socket.pause();
  return { socket, status: Number(answer.slice(9, 12)), answer };
}

/** The same, with TLS for the host inside. */
export async function secureThrough(
  port: number,
  to: string,
  session: string,
  ca: string,
): Promise<TLSSocket> {
  const { socket } = await connectThrough(port, to, session);
  const [host = ""] = to.split(":");
  const secured = connectTls({ socket, servername: host, ca });
  await once(secured, "secureConnect");
  return secured;
}

/** A port whose connections come to the proxy as those of one sandbox. */
export async function openDoor(
  proxy: CaptureProxy,
  session: CaptureSession,
): Promise<{ port: number; [Symbol.asyncDispose](): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createListener({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    proxy.serve(socket, session);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), "close");
    },
  };
}

export interface TestAnswer {
  status: number;
  headers: IncomingMessage["headers"];
  trailers: IncomingMessage["trailers"];
  bytes: Buffer;
  text: string;
}

/** Asks and reads the whole answer. A body makes it a POST. */
export async function ask(options: RequestOptions, body?: string | Buffer): Promise<TestAnswer> {
  const agent = options.createConnection === undefined ? { agent: false } : {};
  const sent = requestHttp({ method: body === undefined ? "GET" : "POST", ...agent, ...options });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  const bytes = await buffer(answer);
  const { statusCode: status = 0, headers, trailers } = answer;
  return { status, headers, trailers, bytes, text: bytes.toString("utf8") };
}

/** The header by which a client says which session it is of. */
export function proxyCredential(session: string, token = "t"): string {
  return `Basic ${Buffer.from(`${session}:${token}`).toString("base64")}`;
}

/** Where a session's requests go, with the key that the proxy adds. */
export function upstreamAt(
  baseUrl: string,
  protocol: ModelUpstream["protocol"] = "chat-completions",
): ModelUpstream {
  return { protocol, baseUrl, headers: { authorization: "Bearer the-real-key-of-a-provider" }, model: "m-1" };
}

/** An upstream that says what it was asked, as JSON. */
export function echo(host?: string): Promise<Upstream> {
  return startUpstream(async (request, response) => {
    const { method, url, headers } = request;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ method, url, headers, body: await text(request), model: "m-1" }));
  }, host);
}
