import { SessionName, sessionToken } from "@tracemill/core/capture/session-token.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { timeId } from "@tracemill/core/ids.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import type { Config } from "../../config.ts";
import type { CliContext } from "../../context.ts";

/** What a program has to be told in order to be captured. */
export interface Client {
  session: string;
  token: string;
  port: number;
  /** PEM file: what this machine trusts, and the proxy's authority. */
  bundle: string;
  /** What is reached without a proxy already. */
  noProxy: string | undefined;
}

/** The session that a command names, else `RUN_ID`, else a new one. @throws TracemillError `invalid-input`. */
export function sessionName(
  named: string | undefined,
  { config, clock }: Pick<CliContext, "config" | "clock">,
) {
  if (named !== undefined) return parseAs(SessionName, named, `--session ${named}`);
  const runId = config.variable("RUN_ID");
  return runId === undefined ? timeId("cap", clock.now()) : parseAs(SessionName, runId, `RUN_ID ${runId}`);
}

/**
 * Variables that make programs go through the proxy, and trust it: HTTP clients of every language, curl, git, the AWS
 * CLI and SDKs, Codex and Claude Code.
 */
export function proxyVariables(client: Client): Record<string, string> {
  const proxy = `http://${client.session}:${client.token}@127.0.0.1:${client.port}`;
  return {
    ...inBothCases({ HTTPS_PROXY: proxy, HTTP_PROXY: proxy, NO_PROXY: direct(client) }),
    NODE_USE_ENV_PROXY: "1",
    ...trustVariables(client.bundle),
    TRACEMILL_SESSION: client.session,
  };
}

function inBothCases(variables: Readonly<Record<string, string>>): Record<string, string> {
  const lower = Object.entries(variables).map(([name, value]) => [name.toLowerCase(), value]);
  return { ...variables, ...Object.fromEntries(lower) };
}

function direct({ noProxy }: Client): string {
  const usual = noProxy?.split(",").map((host) => host.trim()) ?? [];
  return [...new Set([...usual, "localhost", "127.0.0.1", "::1"])].filter(Boolean).join(",");
}

function trustVariables(bundle: string): Record<string, string> {
  const names = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "CODEX_CA_CERTIFICATE",
  ];
  return Object.fromEntries(names.map((name) => [name, bundle]));
}

/**
 * Variables that make programs ask the proxy instead of the provider: no certificate to trust. A proxy that the machine
 * has besides shall not be asked for 127.0.0.1, nor read the token in the address.
 */
export function baseUrlVariables(client: Client): Record<string, string> {
  const { session, token, port } = client;
  const base = `http://127.0.0.1:${port}/s/${session}:${token}`;
  return {
    OPENAI_BASE_URL: `${base}/openai/v1`,
    ANTHROPIC_BASE_URL: `${base}/anthropic`,
    ...inBothCases({ NO_PROXY: direct(client) }),
    TRACEMILL_SESSION: session,
  };
}

/** A client of this home's proxy, in an environment that may have a `NO_PROXY` of its own. */
export function clientOf(
  session: string,
  { secret, port, bundle }: { secret: Uint8Array; port: number; bundle: string },
  config: Pick<Config, "variable">,
): Client {
  const noProxy = config.variable("NO_PROXY") ?? config.variable("no_proxy");
  return { session, token: sessionToken(session, secret), port, bundle, noProxy };
}

export const shells = ["sh", "bash", "zsh", "fish", "powershell"] as const;
export type Shell = (typeof shells)[number];

/** The shell that `$SHELL` names; `sh` for those of its family, and when none is named. */
export function usualShell(path: string | undefined): Shell {
  const name = path
    ?.split(/[/\\]/)
    .at(-1)
    ?.replace(/\.exe$/, "");
  if (name === "pwsh") return "powershell";
  return shells.find((shell) => shell === name) ?? "sh";
}

/** Lines that set the variables. */
export function exportLines(variables: Readonly<Record<string, string>>, shell: Shell): string[] {
  return Object.entries(variables).map(([name, value]) => {
    if (value.includes("\n")) throw new TracemillError("invalid-input", `${name}: holds a line end`);
    if (shell === "fish") return `set -gx ${name} ${fishQuoted(value)};`;
    if (shell === "powershell") return `$env:${name} = '${value.replaceAll("'", "''")}'`;
    return `export ${name}=${shQuoted(value)}`;
  });
}

/** Lines that take them back. */
export function unsetLines(names: readonly string[], shell: Shell): string[] {
  return names.map((name) => {
    if (shell === "fish") return `set -e ${name};`;
    if (shell === "powershell") return `Remove-Item Env:${name} -ErrorAction SilentlyContinue`;
    return `unset ${name}`;
  });
}

/** Nothing between single quotes means anything to a POSIX shell. */
export function shQuoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

function fishQuoted(value: string): string {
  return `'${value.replaceAll(/['\\]/g, (character) => `\\${character}`)}'`;
}
