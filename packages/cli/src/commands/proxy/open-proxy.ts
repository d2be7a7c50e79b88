import type { CaptureSession } from "@tracemill/agents/capture/capture.ts";
import type { CaptureStore } from "@tracemill/core/capture/capture-store.ts";
import { countsSince } from "@tracemill/core/capture/captured-session.ts";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { isSessionToken, SessionName } from "@tracemill/core/capture/session-token.ts";
import { isTracemillError, messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { RedactionPolicy } from "@tracemill/core/redact/policy.ts";
import type { RedactionCounts, Redactor } from "@tracemill/core/redact/redactor.ts";
import { hasErrno } from "@tracemill/local/disk.ts";
import { type Command, Option } from "commander";
import type { CliContext } from "../../context.ts";
import { atLeast } from "../../flag-values.ts";
import { answerCost, keysByHost, modelHosts, providerUrls } from "./providers.ts";
import { homeAuthority, homeSecret } from "./proxy-home.ts";

/** What command lines say about a proxy. */
export interface ProxyFlags {
  port?: number;
  allow?: string[];
  intercept?: string[];
  upstreamProxy?: string;
  keyEnv?: string[];
  redact?: RedactionPolicy["personal"];
  route?: Record<string, string>;
}

export function withProxyFlags(command: Command): Command {
  return command
    .option("--port <port>", "port on 127.0.0.1 (default: this home's)", atLeast(1))
    .option("--allow <host...>", "the only hosts that may be reached: name, *.name (default: any)")
    .option("--intercept <host...>", "hosts whose traffic is captured (default: the model providers')")
    .option("--upstream-proxy <url>", "proxy to go through (default: $HTTPS_PROXY)", proxyUrl)
    .option("--key-env <variable...>", "keys that the proxy adds: OPENAI_API_KEY, or provider=VARIABLE")
    .addOption(
      new Option("--redact <kind...>", "take out personal data too; secrets go anyway").choices(
        RedactionPolicy.shape.personal.unwrap().element.options,
      ),
    )
    .addOption(
      new Option(
        "--route <host=url>",
        "ask this server instead of the host's own, for mirrors and tests",
      ).argParser(addRoute),
    );
}

/** Many write no scheme before a proxy's name. @throws TracemillError `invalid-input`, without what may be a password. */
function proxyUrl(value: string): string {
  const url = value.includes("://") ? value : `http://${value}`;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new TracemillError(
    "invalid-input",
    "the proxy to go through (--upstream-proxy, HTTPS_PROXY, HTTP_PROXY) is no http:// or https:// address",
  );
}

function addRoute(value: string, earlier: Record<string, string> = {}): Record<string, string> {
  const [, host = "", url = ""] = /^([^=\s]+)=(https?:\/\/\S+)$/.exec(value) ?? [];
  if (host === "") throw new TracemillError("invalid-input", `--route ${value}: give HOST=URL`);
  return { ...earlier, [host]: url };
}

/** A proxy that listens, for the sessions that this home's secret vouches for. */
export interface OpenProxy extends AsyncDisposable {
  port: number;
  url: string;
}

/**
 * @param port where it listens; 0: anywhere.
 * @throws TracemillError `conflict` when another program has the port.
 */
export async function openProxy(
  port: number,
  flags: ProxyFlags,
  store: CaptureStore,
  context: CliContext,
): Promise<OpenProxy> {
  const { home, config } = context;
  const { authority } = await homeAuthority(context);
  const secret = await homeSecret(home);
  const { createRedactor, openCaptureProxy } = await loadEngine();
  const onProblem = troubleTeller(context);
  const keep: Keep = (exchange, redactions) => void store.append(exchange, redactions).catch(onProblem);
  const policy = RedactionPolicy.parse({ personal: flags.redact ?? [] });
  const sessions = sessionsOf(secret, (name) => newSession(name, createRedactor(policy), keep));
  const proxy = await openCaptureProxy({
    authority,
    intercept: flags.intercept ?? modelHosts,
    ...(flags.allow === undefined ? {} : { allow: flags.allow }),
    providers: providerUrls,
    keys: keysByHost(flags.keyEnv ?? [], config),
    ...(flags.route === undefined ? {} : { routes: flags.route }),
    proxies: upstreamProxies(flags, secret, config),
    onProblem,
  });
  try {
    const { url } = await proxy.listen(port, sessions);
    return {
      port: Number(new URL(url).port),
      url,
      [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
    };
  } catch (error) {
    await proxy[Symbol.asyncDispose]();
    if (!hasErrno(error, "EADDRINUSE", "EACCES")) throw error;
    const why = hasErrno(error, "EACCES") ? "is not for your user" : "is another program's";
    throw new TracemillError("conflict", `port ${port} ${why}; give a free one with --port`, {
      cause: error,
    });
  }
}

/** Loaded when a proxy starts: the certificates and the rules take a quarter of a second. */
async function loadEngine() {
  const [{ openCaptureProxy }, { createRedactor }] = await Promise.all([
    import("@tracemill/agents/capture/proxy.ts"),
    import("@tracemill/core/redact/create.ts"),
  ]);
  return { openCaptureProxy, createRedactor };
}

/** Sessions by name, each made when its first client comes. */
function sessionsOf(
  secret: Uint8Array,
  make: (name: string) => CaptureSession,
): (name: string, token: string) => CaptureSession | undefined {
  const sessions = new Map<string, CaptureSession>();
  return (name, token) => {
    if (!isSessionToken(name, token, secret) || !SessionName.safeParse(name).success) return undefined;
    const session = sessions.get(name) ?? make(name);
    sessions.set(name, session);
    return session;
  };
}

/** Never waited for: the proxy's end is not to wait for a bucket that cannot be written, the store's end does. */
type Keep = (exchange: HttpExchange, redactions: RedactionCounts) => void;

function newSession(id: string, redactor: Redactor, keep: Keep): CaptureSession {
  let counted: RedactionCounts = {};
  return {
    id,
    redactor,
    cost: answerCost,
    record: (exchange) => {
      const redactions = countsSince(counted, redactor.counts);
      counted = { ...redactor.counts };
      keep(exchange, redactions);
    },
  };
}

/**
 * What this machine goes through to the network; our own proxy, which a shell may have been told of, is not that.
 */
function upstreamProxies(
  { upstreamProxy }: ProxyFlags,
  secret: Uint8Array,
  config: CliContext["config"],
): { https?: string; http?: string; none?: string } {
  const usual = (name: string): string | undefined => {
    const value = config.variable(name) ?? config.variable(name.toLowerCase());
    return value === undefined || value === "" || isOurs(value, secret) ? undefined : value;
  };
  const https = upstreamProxy ?? usual("HTTPS_PROXY");
  const http = upstreamProxy ?? usual("HTTP_PROXY");
  const none = usual("NO_PROXY");
  return {
    ...(https === undefined ? {} : { https: proxyUrl(https) }),
    ...(http === undefined ? {} : { http: proxyUrl(http) }),
    ...(none === undefined ? {} : { none }),
  };
}

function isOurs(proxy: string, secret: Uint8Array): boolean {
  if (!URL.canParse(proxy)) return false;
  const { username, password } = new URL(proxy);
  return isSessionToken(username, password, secret);
}

/** Says once what keeps exchanges from being kept; the command then ends with an exit code of 1. */
function troubleTeller(context: CliContext): (error: unknown) => void {
  const told = new Set<string>();
  return (error) => {
    context.exitCode = 1;
    const message = isTracemillError(error) ? error.message : `the capture proxy: ${messageOf(error)}`;
    if (!told.has(message)) context.out.note(`error: ${message}`);
    told.add(message);
  };
}
