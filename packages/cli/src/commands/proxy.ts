import { once } from "node:events";
import { TracemillError } from "@tracemill/core/errors.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import { Command } from "commander";
import { type PlaceOptions, withPlace } from "../aws/place.ts";
import type { CliContext } from "../context.ts";
import { requireWritable } from "../deps.ts";
import { caCommand } from "./proxy/ca.ts";
import { type Captures, inCaptures } from "./proxy/captures.ts";
import { envCommand } from "./proxy/env.ts";
import { execCommand } from "./proxy/exec.ts";
import { exportCommand } from "./proxy/export.ts";
import { installCommand, uninstallCommand } from "./proxy/install.ts";
import { openProxy, type ProxyFlags, withProxyFlags } from "./proxy/open-proxy.ts";
import { announce, findRunning, homePort, type RunningProxy, rememberPort } from "./proxy/proxy-home.ts";
import { sessionsCommand } from "./proxy/sessions.ts";
import { showCommand } from "./proxy/show.ts";
import { statusCommand, stopCommand } from "./proxy/status.ts";

type Options = ProxyFlags & PlaceOptions;

const help = `
Examples:
  tracemill proxy                              # runs until Ctrl-C; in another shell:
  eval "$(tracemill proxy env)"                # its programs are captured from now on
  tracemill proxy exec -- codex exec "…"       # or one program, without a proxy of its own
  tracemill proxy sessions
  tracemill proxy export latest --format atif

docs/capture.md begins with five minutes from nothing to a captured session.`;

/** `tracemill proxy`: captures what programs say to models. */
export function proxyCommand(context: CliContext): Command {
  const command = withPlace(withProxyFlags(new Command("proxy")))
    .description("capture what programs say to models, and what they are answered")
    .option("--json", "one JSON line once it listens")
    .enablePositionalOptions()
    .addHelpText("after", help)
    .action((options: Options) => serve(options, context));
  const inner = [
    envCommand,
    execCommand,
    caCommand,
    sessionsCommand,
    showCommand,
    exportCommand,
    statusCommand,
    stopCommand,
    installCommand,
    uninstallCommand,
  ];
  for (const make of inner) command.addCommand(make(context));
  return command;
}

async function serve(options: Options, context: CliContext): Promise<void> {
  await requireWritable(context.home);
  const other = await findRunning(context);
  if (other !== undefined) throw alreadyRuns(other);
  if (context.interruptWords !== undefined) context.interruptWords.first = "writing what is captured";
  await inCaptures(options, context, async (captures) => {
    const port = options.port ?? (await homePort(context.home));
    await using proxy = await openProxy(port, options, captures.store, context);
    await rememberPort(context.home, proxy.port);
    const running = runningOf(proxy, captures, context);
    await using _announced = await announce(running, context.home);
    sayRunning(running, context);
    await stopped(context);
  });
}

function runningOf(
  { port, url }: { port: number; url: string },
  { locate }: Captures,
  { clock }: CliContext,
): RunningProxy {
  return {
    owner: processOwner(clock.now()).id,
    pid: process.pid,
    port,
    url,
    startedAt: new Date(clock.now()).toISOString(),
    captures: locate(),
  };
}

async function stopped({ draining }: CliContext): Promise<void> {
  if (!draining.aborted) await once(draining, "abort");
}

function sayRunning(running: RunningProxy, { out }: CliContext): void {
  out.event({ type: "proxy", ...running });
  out.text(`capturing at ${running.url}, into ${running.captures}`);
  out.text("");
  out.text("in the shell whose programs are to be captured:");
  out.text('  bash, zsh   eval "$(tracemill proxy env)"');
  out.text("  fish        tracemill proxy env --shell fish | source");
  out.text("one program   tracemill proxy exec -- CMD");
  out.text("what came     tracemill proxy sessions");
  out.text("");
  out.text("Ctrl-C, or `tracemill proxy stop`, ends it.");
}

function alreadyRuns({ url, pid }: RunningProxy): TracemillError {
  return new TracemillError(
    "conflict",
    `this home's proxy runs already, at ${url} (pid ${pid}); stop it with: tracemill proxy stop`,
  );
}
