import type { IncomingMessage } from "node:http";
import type { CaptureSession } from "./capture.ts";
import type { Asked } from "./target.ts";

export type SessionOf = (name: string, token: string) => CaptureSession | undefined;

/** Who is at the other end of a connection. */
export type Client =
  /** A sandbox's door: one session. */
  | { kind: "door"; session: CaptureSession }
  /** The user's listener: each request says whose it is. */
  | { kind: "listener"; sessionOf: SessionOf }
  /** Inside of a CONNECT: the session and the origin that it named. */
  | { kind: "origin"; session: CaptureSession; isSandboxed: boolean; origin: string };

/** An answer in the proxy's own name. */
export interface Refusal {
  status: number;
  message: string;
  headers?: Record<string, string>;
}

export interface Request {
  session: CaptureSession;
  isSandboxed: boolean;
  asked: Asked;
}

const sessionPath = /^\/s\/([^/:]+):([^/]+)(\/.*)?$/;

/** Whose request this is and where it says it goes. */
export function readRequest(request: IncomingMessage, client: Client): Request | Refusal {
  const { url = "/" } = request;
  const isWhole = !url.startsWith("/");
  if (client.kind === "origin") return ofOrigin(url, client);
  if (client.kind === "door") {
    const { session } = client;
    if (!isWhole) return { session, isSandboxed: true, asked: { form: "gateway", path: url } };
    return ofUrl(url, session, true);
  }
  if (!isWhole) return ofSessionPath(url, client.sessionOf);
  const session = sessionByCredential(request, client.sessionOf);
  return session === undefined ? credentialWanted : ofUrl(url, session, false);
}

/** The session of a CONNECT, or of a request with a whole URL. */
export function sessionOfClient(
  request: IncomingMessage,
  client: Client,
): { session: CaptureSession; isSandboxed: boolean } | Refusal {
  if (client.kind === "door") return { session: client.session, isSandboxed: true };
  if (client.kind === "origin") return { status: 400, message: "A tunnel within a tunnel is not to be had." };
  const session = sessionByCredential(request, client.sessionOf);
  return session === undefined ? credentialWanted : { session, isSandboxed: false };
}

const credentialWanted: Refusal = {
  status: 407,
  message:
    "This proxy wants to know whose session this is: use the address that `tracemill proxy env` prints, with its user and password.",
  headers: { "proxy-authenticate": 'Basic realm="tracemill"' },
};

function sessionByCredential({ headers }: IncomingMessage, sessionOf: SessionOf): CaptureSession | undefined {
  const [, encoded] = /^Basic\s+([A-Za-z0-9+/=_-]+)\s*$/i.exec(headers["proxy-authorization"] ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const [, name, token] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, "base64").toString("utf8")) ?? [];
  return name === undefined || token === undefined ? undefined : sessionOf(name, token);
}

function ofOrigin(path: string, client: Client & { kind: "origin" }): Request | Refusal {
  const { session, isSandboxed, origin } = client;
  return ofUrl(path.startsWith("/") ? `${origin}${path}` : path, session, isSandboxed);
}

function ofUrl(text: string, session: CaptureSession, isSandboxed: boolean): Request | Refusal {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol))
    return { status: 400, message: "This is no address of a web server." };
  return { session, isSandboxed, asked: { form: "origin", url } };
}

function ofSessionPath(path: string, sessionOf: SessionOf): Request | Refusal {
  const [, name, token, rest = "/"] = sessionPath.exec(path) ?? [];
  if (name === undefined || token === undefined)
    return {
      status: 404,
      message: "This is a proxy: set it as HTTPS_PROXY, or use a path that begins with /s/SESSION:TOKEN/.",
    };
  const session = sessionOf(decoded(name), decoded(token));
  if (session === undefined) return { status: 401, message: "No session has this name and token." };
  const [, provider = "", providerPath = "/"] = /^\/([^/?]*)(.*)$/s.exec(rest) ?? [];
  return {
    session,
    isSandboxed: false,
    asked: { form: "provider", provider, path: providerPath, whole: rest },
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
