import { Agent as HttpAgent, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext, getCACertificates } from "node:tls";
import { isOwnAddress } from "../sandbox/docker/egress/addresses.ts";

/** Proxies that this machine has to go through, as `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say it. */
export interface UpstreamProxies {
  /** For `https:` and for tunnels: the proxy's URL, with its user and password if it wants them. */
  https?: string;
  http?: string;
  /** Hosts that are reached without: `name`, `.name` or `*.name`, with a port or not, `*` for all; commas between. */
  none?: string;
}

export interface DialOptions {
  proxies?: UpstreamProxies;
  /** Certificates (PEM) to trust besides those that Node trusts. */
  ca?: readonly string[];
  /** Milliseconds to connect in. */
  connectMs: number;
  /** Ports of 127.0.0.1 that this proxy itself listens on. */
  isOwnPort: (port: number) => boolean;
}

/** Where a connection goes. */
export interface Endpoint {
  /** Name or address, without brackets. */
  host: string;
  port: number;
  /** Addresses that were checked, to be tried in place of what the name means now. */
  addresses?: readonly string[];
}

/** Connections to upstreams. They are used again, per endpoint, and closed when idle. */
export interface Dialer {
  /** A bare connection, through the proxy for its kind if there is one. @throws Error of the network. */
  tunnel(to: Endpoint, kind: "http" | "https"): Promise<Duplex>;
  /** For requests of `node:http` and `node:https`; give `Endpoint.addresses` as `addresses`. */
  readonly agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  /** Whether a proxy stands between, which then looks names up by itself. */
  isProxied(to: Endpoint, kind: "http" | "https"): boolean;
  close(): void;
}

/** Servers close idle connections after 5 s at the soonest (Node's own); one that is taken just then is lost. */
const idleMs = 4_000;

interface AgentOptions {
  host?: string | null;
  port?: number | string | null;
  addresses?: readonly string[];
}

export function openDialer(options: DialOptions): Dialer {
  const tunnel: Dialer["tunnel"] = async (to, kind) => {
    const proxy = proxyFor(to, kind, options.proxies ?? {});
    return proxy === undefined ? direct(to, options) : throughProxy(to, proxy, options);
  };
  const dial = (asked: AgentOptions, kind: "http" | "https"): Promise<Duplex> => {
    const addresses = asked.addresses === undefined ? {} : { addresses: asked.addresses };
    return tunnel({ host: asked.host ?? "", port: Number(asked.port), ...addresses }, kind);
  };
  const keep = { keepAlive: true, timeout: idleMs, scheduling: "lifo" } as const;
  const http = new HttpAgent(keep);
  http.createConnection = (asked, made) => {
    dial(asked as AgentOptions, "http").then(
      (socket) => made?.(null, socket),
      (error) => made?.(error, never),
    );
    return undefined;
  };
  const trust = trusting(options.ca);
  const https = new HttpsAgent({ ...keep, ...trust });
  const secured = https.createConnection.bind(https);
  https.createConnection = (asked, made) => {
    dial(asked as AgentOptions, "https").then(
      (socket) => made?.(null, secured({ ...asked, socket } as typeof asked) as Duplex),
      (error) => made?.(error, never),
    );
    return undefined;
  };
  return {
    tunnel,
    agents: { http, https },
    isProxied: (to, kind) => proxyFor(to, kind, options.proxies ?? {}) !== undefined,
    close: () => {
      http.destroy();
      https.destroy();
    },
  };
}

/** What Node wants beside an error. */
const never = undefined as unknown as Duplex;

/** One context for all connections: reading 150 certificates takes 10 ms. */
function trusting(ca: readonly string[] = []): { secureContext?: ReturnType<typeof createSecureContext> } {
  if (ca.length === 0) return {};
  return { secureContext: createSecureContext({ ca: [...getCACertificates("default"), ...ca] }) };
}

async function direct({ host, port, addresses }: Endpoint, options: DialOptions): Promise<Socket> {
  let failed: unknown = new Error(`${host} has no address`);
  for (const target of addresses ?? [host]) {
    try {
      const socket = connect({ host: target, port, noDelay: true, keepAlive: true });
      return notSelf(await connected(socket, options.connectMs), options);
    } catch (error) {
      failed = error;
    }
  }
  throw failed;
}

/** Whatever name was used for it: a request that came back would go round for ever. */
function notSelf(socket: Socket, { isOwnPort }: DialOptions): Socket {
  const { remoteAddress = "", remotePort = 0 } = socket;
  if (!isOwnPort(remotePort) || !isOwnAddress(remoteAddress)) return socket;
  socket.destroy();
  throw new Error("that is this proxy itself");
}

function connected(socket: Socket, connectMs: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const timer = setTimeout(() => socket.destroy(new Error(`no connection in ${connectMs} ms`)), connectMs);
  socket.once("connect", () => resolve(socket));
  socket.once("error", reject);
  promise.then(
    () => socket.off("error", reject),
    () => undefined,
  );
  return promise.finally(() => clearTimeout(timer));
}

/** CONNECT through an HTTP proxy (RFC 9110, 9.3.6). */
function throughProxy({ host, port }: Endpoint, proxy: URL, { connectMs, ca }: DialOptions): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const request = proxy.protocol === "https:" ? requestHttps : requestHttp;
  const sent = request({
    ...(proxy.protocol === "https:" ? trusting(ca) : {}),
    host: proxy.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: proxy.port === "" ? (proxy.protocol === "https:" ? 443 : 80) : Number(proxy.port),
    method: "CONNECT",
    path: authority,
    agent: false,
    timeout: connectMs,
    headers: { host: authority, ...proxyCredential(proxy) },
  });
  sent.once("connect", (answer, socket, head) => {
    if (answer.statusCode !== 200) {
      socket.destroy();
      return reject(new Error(`the proxy ${proxy.host} answered ${answer.statusCode} for ${authority}`));
    }
    if (head.length > 0) socket.unshift(head);
    socket.setTimeout(0);
    resolve(socket);
  });
  sent.once("response", (answer) => {
    answer.destroy();
    reject(new Error(`the proxy ${proxy.host} answered ${answer.statusCode} for ${authority}`));
  });
  sent.once("timeout", () => sent.destroy(new Error(`the proxy ${proxy.host} is silent`)));
  sent.once("error", reject);
  sent.end();
  return promise;
}

function proxyCredential({ username, password }: URL): Record<string, string> {
  if (username === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(pair).toString("base64")}` };
}

/** The proxy for a host. `ALL` of `NO_PROXY`'s forms that curl knows, but ranges of addresses. */
export function proxyFor(
  { host, port }: Endpoint,
  kind: "http" | "https",
  proxies: UpstreamProxies,
): URL | undefined {
  const url = proxies[kind];
  if (url === undefined || url === "") return undefined;
  const exceptions = (proxies.none ?? "").toLowerCase().split(/[\s,]+/);
  const isException = exceptions.some((entry) => matchesException(entry, host.toLowerCase(), port));
  return isException ? undefined : new URL(url);
}

function matchesException(entry: string, host: string, port: number): boolean {
  if (entry === "" || entry === "*") return entry === "*";
  const [, name = "", ofPort] =
    /^\[?(.*?)\]?(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
  if (ofPort !== undefined && Number(ofPort) !== port) return false;
  const suffix = name.replace(/^\*?\./, "");
  return host === suffix || host.endsWith(`.${suffix}`);
}
