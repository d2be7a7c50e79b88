import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { TracemillError } from "@tracemill/core/errors.ts";
import { hasErrno } from "@tracemill/local/disk.ts";
import { Command } from "commander";
import { isOnAws, type PlaceOptions, withPlace } from "../../aws/place.ts";
import type { CliContext } from "../../context.ts";
import { requireWritable } from "../../deps.ts";
import { type Captures, inCaptures } from "./captures.ts";
import { baseUrlVariables, clientOf, proxyVariables, sessionName } from "./client-env.ts";
import { openProxy, type ProxyFlags, withProxyFlags } from "./open-proxy.ts";
import { findRunning, homeAuthority, homeSecret, proxyFiles, type RunningProxy } from "./proxy-home.ts";

export interface ExecOptions extends ProxyFlags, PlaceOptions {
  session?: string;
  baseUrl?: true;
}

const help = `
Examples:
  tracemill proxy exec -- codex exec "fix the failing test"
  tracemill proxy exec --session nightly-1 -- python agent.py
  RUN_ID=20260101__12-00-00 tracemill proxy exec -- claude -p "what does this do?"

The program has your terminal, its standard streams and its exit code. Its session is the one given, else $RUN_ID, else
a new one. The home's running proxy is used when there is one and no flag of a proxy is given; else one runs for as
long as the program.`;

/** `tracemill proxy exec`. */
export function execCommand(context: CliContext): Command {
  const command = withPlace(withProxyFlags(new Command("exec")))
    .description("run a program behind the proxy")
    .argument("<command...>", "the program and its arguments, after `--`")
    .option("--session <name>", "name of the session (default: $RUN_ID, or a new one)")
    .option("--base-url", "set OPENAI_BASE_URL and ANTHROPIC_BASE_URL instead of a proxy")
    .passThroughOptions()
    .addHelpText("after", help);
  return command.action((argv: string[], options: ExecOptions) => captureProgram(argv, options, context));
}

/** Runs a program behind a proxy, and says at its end what was captured and where it is. */
export async function captureProgram(
  argv: readonly string[],
  options: ExecOptions,
  context: CliContext,
): Promise<void> {
  await requireWritable(context.home);
  const session = sessionName(options.session, context);
  const running = mayShare(options, context) ? await findRunning(context) : undefined;
  if (running !== undefined) {
    await runBehind(argv, session, running.port, options, context);
    return sayShared(session, running, context);
  }
  await inCaptures(options, context, async (captures) => {
    {
      await using proxy = await openProxy(options.port ?? 0, options, captures.store, context);
      await runBehind(argv, session, proxy.port, options, context);
    }
    await sayCaptured(session, captures, context);
  });
}

/** What the home's own proxy captured; only it knows what it has still to upload. */
async function sayShared(
  session: string,
  { captures: place }: RunningProxy,
  context: CliContext,
): Promise<void> {
  if (place !== proxyFiles(context.home).captures)
    return context.out.note(`session ${session}: in ${place}${session}/`);
  await inCaptures({ on: "local" }, context, (captures) => sayCaptured(session, captures, context));
}

/** Whether the home's own proxy does what is asked: nothing special of a proxy is. */
function mayShare(options: ExecOptions, context: CliContext): boolean {
  const { port, allow, intercept, upstreamProxy, keyEnv, redact, route } = options;
  const special = [port, allow, intercept, upstreamProxy, keyEnv, redact, route];
  return !isOnAws(options, context) && special.every((value) => value === undefined);
}

async function runBehind(
  argv: readonly string[],
  session: string,
  port: number,
  { baseUrl }: ExecOptions,
  context: CliContext,
): Promise<void> {
  const { home, config } = context;
  const { bundle } = await homeAuthority(context);
  const secret = await homeSecret(home);
  const client = clientOf(session, { secret, port, bundle }, config);
  const variables = baseUrl === true ? baseUrlVariables(client) : proxyVariables(client);
  const code = await runProgram(argv, { ...config.environment(), ...variables }, context);
  context.exitCode = context.exitCode === 0 ? code : context.exitCode;
}

/**
 * @returns its exit code; 128 and the signal's number when a signal ended it, as shells have it.
 * @throws TracemillError `not-found` when there is no such program.
 */
async function runProgram(
  [program = "", ...args]: readonly string[],
  env: Record<string, string | undefined>,
  context: CliContext,
): Promise<number> {
  const { interruptWords: words = { first: "" } } = context;
  words.first = `waiting for ${program} to end`;
  words.isProgramsOwn = process.stdin.isTTY;
  const child = spawn(program, args, { stdio: "inherit", env });
  const passOn = (signal: NodeJS.Signals) => () => child.kill(signal);
  const [hangUp, interrupt, terminate] = [passOn("SIGHUP"), passOn("SIGINT"), passOn("SIGTERM")];
  // A terminal's Ctrl-C goes to the program as well; sent from elsewhere, it comes to us alone.
  if (!process.stdin.isTTY) context.draining.addEventListener("abort", interrupt);
  context.signal.addEventListener("abort", terminate);
  process.on("SIGHUP", hangUp);
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "EACCES")) throw error;
    throw new TracemillError(
      "not-found",
      `${program}: no such program on the PATH; install it, or give its path`,
    );
  } finally {
    words.isProgramsOwn = false;
    process.off("SIGHUP", hangUp);
    context.draining.removeEventListener("abort", interrupt);
    context.signal.removeEventListener("abort", terminate);
  }
}

async function sayCaptured(
  sessionId: string,
  { store, locate }: Captures,
  { out }: CliContext,
): Promise<void> {
  const session = await store.find(sessionId);
  if (session === undefined) {
    out.note(`session ${sessionId}: nothing was captured; docs/capture.md says what may be the cause`);
    return;
  }
  const { modelExchanges, failed } = session;
  const failures = failed === 0 ? "" : `, ${failed} failed`;
  out.note(
    `session ${sessionId}: a model was asked ${modelExchanges} times${failures}, in ${locate(sessionId)}`,
  );
  out.note(`as ATIF: tracemill proxy export ${sessionId} --format atif`);
}
