import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import { takeBody } from "./body-copy.ts";
import type { Dialer } from "./dial.ts";
import { askingForUsage } from "./extra-usage.ts";
import { framing, isCredential, passedHeaders } from "./headers.ts";
import { hostOf, portOf, type Target } from "./target.ts";

export interface UpstreamDeps {
  dialer: Dialer;
  /** By host: where it is connected to instead. */
  routes: Readonly<Record<string, URL>>;
  /** Milliseconds without a byte from the upstream after which an exchange is given up. */
  idleMs: number;
  /** Bytes of a model's request that are taken before they are sent on. */
  bodyLimit: number;
}

export interface Outward {
  request: IncomingMessage;
  target: Target;
  /** Addresses that the target's name was checked to mean. */
  addresses?: readonly string[];
}

/** What of a request's body has been read. */
export interface TakenBody {
  chunks: readonly Buffer[];
  /** False when the rest has still to be read from the request. */
  ended: boolean;
}

/** A model's request is taken whole first: it may have to be sent twice, or changed. @throws when the client left. */
export async function takeRequest(
  { request, target }: Outward,
  { bodyLimit }: UpstreamDeps,
): Promise<TakenBody> {
  return target.protocol === undefined ? { chunks: [], ended: false } : takeBody(request, bodyLimit);
}

/** The body that asks for usage as well; `undefined` where there is nothing to ask. */
export function bodyWithUsage({ request, target }: Outward, body: TakenBody): Buffer | undefined {
  const isPlain = request.headers["content-encoding"] === undefined;
  if (target.protocol !== "chat-completions" || !body.ended || !isPlain) return undefined;
  return askingForUsage(Buffer.concat(body.chunks));
}

const largestHeaders = 128 * 1024;

/**
 * Opens the request to the upstream: the client's, with the real key in place of its own.
 * @param changed stands for the client's body; the answer to it has to be readable on the way.
 */
export function openRequest(
  { request, target, addresses }: Outward,
  changed: Buffer | undefined,
  { dialer, routes, idleMs }: UpstreamDeps,
): ClientRequest {
  const { url } = target;
  const host = hostOf(url);
  const to = routes[host] ?? url;
  const isSecure = to.protocol === "https:";
  const options = {
    agent: isSecure ? dialer.agents.https : dialer.agents.http,
    method: request.method ?? "GET",
    host: hostOf(to),
    port: portOf(to),
    ...(isSecure && isIP(host) === 0 ? { servername: host } : {}),
    path: url.pathname + url.search,
    maxHeaderSize: largestHeaders,
    ...(addresses === undefined ? {} : { addresses }),
    headers: outwardHeaders(request, target, changed),
  };
  const sent = isSecure ? requestHttps(options) : requestHttp(options);
  sent.setTimeout(idleMs, () => sent.destroy(new Error(`nothing came for ${idleMs / 60_000} minutes`)));
  return sent;
}

function outwardHeaders(
  { rawHeaders, headers, method = "GET" }: IncomingMessage,
  { url, key }: Target,
  changed: Buffer | undefined,
): string[] {
  const added = Object.entries(key ?? {});
  const names = new Set(["host", "expect", "content-length", ...added.map(([name]) => name.toLowerCase())]);
  const isDropped = (name: string): boolean =>
    names.has(name) ||
    (key !== undefined && isCredential(name)) ||
    (changed !== undefined && name === "accept-encoding");
  const passed = passedHeaders(rawHeaders, headers.connection, isDropped);
  const frame =
    changed === undefined
      ? framing(method, headers)
      : ["Content-Length", String(changed.length), "Accept-Encoding", "identity"];
  return ["Host", url.host, ...passed, ...added.flat(), ...frame];
}
