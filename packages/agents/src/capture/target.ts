import type { ModelUpstream } from "@tracemill/core/ports/model-access.ts";
import { type ModelProtocol, protocolOfPath } from "@tracemill/core/protocols/protocol.ts";
import type { HostRules } from "../sandbox/docker/egress/rules.ts";
import type { CaptureSession } from "./capture.ts";
import { hasListed } from "./egress.ts";

/** How a request says where it goes. */
export type Asked =
  /** To an origin of its own: by CONNECT, or with a whole URL in its request line. */
  | { form: "origin"; url: URL }
  /** To whatever the session's upstream is: a path alone. */
  | { form: "gateway"; path: string }
  /** To a provider by name: of `/s/SESSION:TOKEN/openai/v1/responses` `whole` begins with the name, `path` follows it. */
  | { form: "provider"; provider: string; path: string; whole: string };

export interface Target {
  /** As the upstream is asked. */
  url: URL;
  /** Added to the request; the client's own credentials are then dropped. */
  key?: Readonly<Record<string, string>>;
  /** Of model requests. */
  protocol?: ModelProtocol;
  /** Whether its exchange is kept: what goes to models and their providers. */
  isRecorded: boolean;
  /** Whether the address has to be on the allow-list: not what the session or the options name themselves. */
  isChecked: boolean;
}

export interface TargetRules {
  /** Hosts whose traffic is read. */
  intercept: HostRules;
  providers: Readonly<Record<string, string>>;
  /** By host: headers that hold the real key. */
  keys: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** @returns why not, in words for the client, where nothing answers to what it asked. */
export function targetOf(
  asked: Asked,
  method: string,
  session: CaptureSession,
  isSandboxed: boolean,
  rules: TargetRules,
): Target | { unknown: string } {
  if (asked.form === "origin") return ofUrl(asked.url, false, method, session, isSandboxed, rules);
  const url = asked.form === "provider" ? providerUrl(asked, rules.providers) : undefined;
  if (url !== undefined) return ofUrl(url, true, method, session, isSandboxed, rules);
  const { upstream } = session;
  if (upstream !== undefined)
    return ofUpstream(asked.form === "gateway" ? asked.path : asked.whole, method, upstream);
  if (asked.form === "gateway")
    return { unknown: "This session has no model of its own: ask by a provider's name." };
  return { unknown: `No provider has the name ${JSON.stringify(asked.provider)} here.` };
}

function ofUrl(
  url: URL,
  isNamed: boolean,
  method: string,
  { upstream }: CaptureSession,
  isSandboxed: boolean,
  rules: TargetRules,
): Target | { unknown: string } {
  const protocol = modelProtocol(method, url);
  const host = hostOf(url);
  const isIntercepted = isNamed || hasListed(rules.intercept, host);
  if (upstream !== undefined && url.origin === new URL(upstream.baseUrl).origin) {
    const target = withKey(url, method, upstream);
    if (isSandboxed || !("unknown" in target)) return target;
  }
  // A program in a sandbox that insists on its provider's host: the session's model stands for it.
  if (isSandboxed && isIntercepted && upstream !== undefined && protocol === upstream.protocol)
    return ofUpstream(url.pathname + url.search, method, upstream);
  // A client may ask for the same host by plain HTTP, where the key could be read on the way.
  const key = isNamed || url.protocol === "https:" ? rules.keys[host] : undefined;
  return {
    url,
    ...(protocol === undefined ? {} : { protocol }),
    ...(key === undefined ? {} : { key }),
    isRecorded: isIntercepted || protocol !== undefined,
    isChecked: !isNamed,
  };
}

function ofUpstream(path: string, method: string, upstream: ModelUpstream): Target | { unknown: string } {
  // For `messages` a base ends before `/v1`, for the others after it: a client that was given `…/v1` sends it again.
  const rest = upstream.protocol === "messages" ? path : path.replace(/^\/v1(?=[/?]|$)/, "");
  return withKey(new URL(upstream.baseUrl + rest), method, upstream);
}

/** The key opens what a model is used by, and nothing else of the provider's: no files, no batches, no accounts. */
function withKey(url: URL, method: string, upstream: ModelUpstream): Target | { unknown: string } {
  const protocol = modelProtocol(method, url);
  const isBelow = url.pathname.startsWith(new URL(upstream.baseUrl).pathname.replace(/\/?$/, "/"));
  const isOpen = protocol !== undefined || harmless(method, url.pathname);
  if (!isBelow || !isOpen)
    return {
      unknown: `This session reaches its model alone: ${method} ${url.pathname} is not part of that.`,
    };
  return {
    url,
    key: upstream.headers,
    ...(protocol === undefined ? {} : { protocol }),
    isRecorded: true,
    isChecked: false,
  };
}

/** What costs nothing and changes nothing: lists of models, counts of tokens. */
function harmless(method: string, path: string): boolean {
  if (method === "POST") return /\/(?:messages\/count_tokens|responses\/input_tokens)$/.test(path);
  return method === "GET" && /\/models(?:\/[^/]+)?$/.test(path);
}

function providerUrl(
  { provider, path }: { provider: string; path: string },
  providers: Readonly<Record<string, string>>,
): URL | undefined {
  const base = Object.hasOwn(providers, provider) ? providers[provider] : undefined;
  return base === undefined ? undefined : new URL(base.replace(/\/$/, "") + path);
}

function modelProtocol(method: string, url: URL): ModelProtocol | undefined {
  return method === "POST" ? protocolOfPath(url.pathname) : undefined;
}

/** The host of a URL, without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}
