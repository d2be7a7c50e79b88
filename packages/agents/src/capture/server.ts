import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { SecureContext } from "node:tls";
import { type Client, type Refusal, readRequest, sessionOfClient } from "./client.ts";
import type { Connections } from "./connections.ts";
import type { Dialer, Endpoint } from "./dial.ts";
import { type Egress, type EgressRules, egress, hasListed } from "./egress.ts";
import { type ForwardDeps, forward } from "./forward.ts";
import { refuse } from "./refusal.ts";
import type { SessionStates } from "./session-state.ts";
import { hostOf, portOf, type Target, type TargetRules, targetOf } from "./target.ts";
import { endpointOf, insideOf, openTunnel, passTunnel, refuseTunnel } from "./tunnel.ts";

export interface ServerDeps {
  connections: Connections;
  states: SessionStates;
  dialer: Dialer;
  contextFor: (host: string) => SecureContext;
  routes: Readonly<Record<string, URL>>;
  targets: TargetRules;
  egress: EgressRules;
  forward: ForwardDeps;
}

/** Speaks HTTP/1.1 on a client's connection. */
export type Attach = (connection: Duplex, client: Client) => void;

const settings = {
  maxHeaderSize: 128 * 1024,
  // Longer than clients keep an idle connection: the one that closes first is the one that cannot lose a request.
  keepAliveTimeout: 75_000,
  // A prompt may be uploaded slowly, an answer thought about for long.
  requestTimeout: 0,
};

/** @returns how a connection is given to the proxy. */
export function captureServer(deps: ServerDeps): Attach {
  const { connections, states } = deps;
  const clients = new WeakMap<Duplex, Client>();
  const server = createServer(settings);
  // Their size is limited; beyond a number of them Node would hide the rest, the body's length among them.
  server.maxHeadersCount = 0;
  // Not in Node's types: a client that has no more to send is still answered.
  Object.assign(server, { httpAllowHalfOpen: true });
  const attach: Attach = (connection, client) => {
    connections.hold(connection);
    if (client.kind !== "listener") states.of(client.session).hold(connection);
    clients.set(connection, client);
    server.emit("connection", connection);
  };
  const clientOf = (request: IncomingMessage): Client | undefined => clients.get(request.socket);
  server.on("request", (request, response) => {
    const client = clientOf(request);
    if (client === undefined) return response.destroy();
    answer(request, response, client, deps).catch((error: unknown) => {
      deps.forward.onProblem(error);
      refuse(response, 500, "The proxy failed.");
    });
  });
  server.on("connect", (request, socket, head) => {
    const client = clientOf(request);
    if (client === undefined) return socket.destroy();
    if (head.length > 0) socket.unshift(head);
    tunnel(request, socket, client, deps, attach).catch((error: unknown) => {
      deps.forward.onProblem(error);
      socket.destroy();
    });
  });
  return attach;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  client: Client,
  deps: ServerDeps,
): Promise<void> {
  const read = readRequest(request, client);
  if ("status" in read) return refuseWith(response, read);
  const { session, isSandboxed, asked } = read;
  if (/^websocket$/i.test(request.headers.upgrade ?? "")) return refuseWith(response, noWebSocket);
  const target = targetOf(asked, request.method ?? "GET", session, isSandboxed, deps.targets);
  if ("unknown" in target) return refuseWith(response, { status: 404, message: target.unknown });
  const allowed = await egressOf(target, isSandboxed, deps);
  if ("refused" in allowed) return void refuse(response, 403, allowed.refused, target);
  await forward({ request, response, target, state: deps.states.of(session), ...allowed }, deps.forward);
}

/** Clients of models then speak HTTP, which can be read. */
const noWebSocket: Refusal = {
  status: 426,
  message: "WebSockets do not pass here: use HTTP.",
  headers: { upgrade: "HTTP/1.1", connection: "close" },
};

function refuseWith(response: ServerResponse, { status, message, headers = {} }: Refusal): void {
  refuse(response, status, message, { headers });
}

async function egressOf(target: Target, isSandboxed: boolean, deps: ServerDeps): Promise<Egress> {
  if (!target.isChecked) return {};
  const { url } = target;
  const kind = url.protocol === "https:" ? "https" : "http";
  return egress({ host: hostOf(url), port: portOf(url) }, kind, isSandboxed, deps.egress);
}

/** A CONNECT: opened where the host's traffic is read, else passed on unread. */
async function tunnel(
  request: IncomingMessage,
  socket: Duplex,
  client: Client,
  deps: ServerDeps,
  attach: Attach,
): Promise<void> {
  deps.connections.hold(socket);
  const who = sessionOfClient(request, client);
  if ("status" in who) return refuseTunnel(socket, who);
  deps.states.of(who.session).hold(socket);
  const to = endpointOf(request);
  if (to === undefined) return refuseTunnel(socket, { status: 400, message: "CONNECT wants HOST:PORT." });
  if (hasListed(deps.targets.intercept, to.host) || isUpstream(to, who.session.upstream?.baseUrl))
    return openTunnel(socket, to, deps.contextFor, (inside, scheme) =>
      attach(inside, insideOf(who, to, scheme)),
    );
  const allowed = await egress(to, "https", who.isSandboxed, deps.egress);
  if ("refused" in allowed) return refuseTunnel(socket, { status: 403, message: allowed.refused });
  const via = deps.routes[to.host];
  const end = via === undefined ? { ...to, ...allowed } : { host: hostOf(via), port: portOf(via) };
  return passTunnel(socket, () => deps.dialer.tunnel(end, "https"));
}

function isUpstream({ host, port }: Endpoint, baseUrl: string | undefined): boolean {
  if (baseUrl === undefined) return false;
  const url = new URL(baseUrl);
  return hostOf(url) === host && portOf(url) === port;
}
