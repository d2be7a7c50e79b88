import { lookup } from "node:dns/promises";
import type { Resolve } from "../sandbox/docker/egress/decide.ts";
import { hostRules } from "../sandbox/docker/egress/rules.ts";
import type { CaptureProxy } from "./capture.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { openConnections } from "./connections.ts";
import { openDialer, type UpstreamProxies } from "./dial.ts";
import { recentlyUsed } from "./recently-used.ts";
import { captureServer } from "./server.ts";
import { sessionStates } from "./session-state.ts";

export interface CaptureProxyOptions {
  authority: CertificateAuthority;
  /** Hosts whose TLS is opened and whose traffic is recorded: names, `*.name`, addresses. */
  intercept: readonly string[];
  /**
   * Hosts that clients may reach besides their session's upstream, in the same form. Default: any for clients of
   * `listen`, none for those of `serve`.
   */
  allow?: readonly string[];
  /** Base URLs by the name that paths give: `{ openai: "https://api.openai.com" }`. */
  providers?: Readonly<Record<string, string>>;
  /** Real keys by host, as the headers that hold them: added on the way, the client's own credentials dropped. */
  keys?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** By host, where it is connected to instead: `{ "api.openai.com": "https://127.0.0.1:8443" }`. */
  routes?: Readonly<Record<string, string>>;
  proxies?: UpstreamProxies;
  /** Certificates (PEM) of upstreams to trust besides those that Node trusts. */
  ca?: readonly string[];
  /** Bytes of a body that are kept for the record; of larger ones the size is. Default 64 MiB. */
  bodyLimit?: number;
  /** Milliseconds to connect to an upstream in. Default 30 s. */
  connectMs?: number;
  /** Milliseconds without a byte from an upstream. Default 15 minutes: models may think as long. */
  idleMs?: number;
  /** Milliseconds that the proxy's end waits for sessions to record. Default 30 s. */
  recordMs?: number;
  /** Told when an exchange could not be recorded. Default: nobody. */
  onProblem?: (error: unknown) => void;
}

export interface CaptureProxyDeps {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Looks up the names of an allow-list. */
  resolve: Resolve;
}

/** Servers that are remembered for what they refuse. */
const mostOrigins = 1_000;

const defaults = { bodyLimit: 64 * 1024 * 1024, connectMs: 30_000, idleMs: 15 * 60_000, recordMs: 30_000 };

/**
 * Opens a proxy that serves no one yet. Its end cuts what is open, and records that.
 * @throws TracemillError `invalid-input` for a host or an address in the options that is none.
 */
export async function openCaptureProxy(
  options: CaptureProxyOptions,
  { now = Date.now, resolve = systemResolve }: Partial<CaptureProxyDeps> = {},
): Promise<CaptureProxy> {
  const { authority, providers = {}, keys = {}, proxies = {}, ca = [] } = options;
  const { bodyLimit, connectMs, idleMs, recordMs } = { ...defaults, ...options };
  const onProblem = options.onProblem ?? (() => undefined);
  const connections = openConnections();
  const routes = routesOf(options.routes ?? {});
  const dialer = openDialer({ proxies, ca, connectMs, isOwnPort: connections.hasPort });
  const states = sessionStates();
  const intercept = hostRules(options.intercept);
  const allow = options.allow === undefined ? {} : { allow: hostRules(options.allow) };
  const attach = captureServer({
    connections,
    states,
    dialer,
    contextFor: authority.contextFor,
    routes,
    targets: { intercept, providers, keys: byHost(keys) },
    egress: { ...allow, isRouted: (host) => routes[host] !== undefined, dialer, resolve },
    forward: {
      dialer,
      routes,
      now,
      bodyLimit,
      idleMs,
      onProblem,
      withoutUsage: recentlyUsed(mostOrigins),
    },
  });
  return {
    serve: (connection, session) => attach(connection, { kind: "door", session }),
    end: (session) => states.of(session).end(),
    listen: (port, sessionOf) =>
      connections.listen(port, (socket) => attach(socket, { kind: "listener", sessionOf })),
    [Symbol.asyncDispose]: async () => {
      await connections.close();
      if (!(await states.settled(recordMs)))
        onProblem(new Error(`exchanges were not recorded within ${recordMs} ms of the proxy's end`));
      dialer.close();
    },
  };
}

function routesOf(routes: Readonly<Record<string, string>>): Readonly<Record<string, URL>> {
  return byHost(Object.fromEntries(Object.entries(routes).map(([host, url]) => [host, new URL(url)])));
}

/** Clients choose the hosts that are looked up: `constructor` is one. */
function byHost<T>(values: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.assign(Object.create(null), values);
}

async function systemResolve(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}
