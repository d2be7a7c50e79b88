import type { NativeLog } from "@tracemill/core/atif/native/log-lines.ts";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { costOf } from "@tracemill/core/models/prices.ts";
import type { AgentContext, AgentResult } from "@tracemill/core/ports/agent.ts";
import type { ModelUpstream } from "@tracemill/core/ports/model-access.ts";
import type { ExecResult, Sandbox } from "@tracemill/core/ports/sandbox.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";
import type { CaptureProxy, CaptureSession } from "../capture/capture.ts";
import { instructionOf } from "../trajectory-builder.ts";
import { CapturedWork } from "./captured-work.ts";
import { endOf } from "./ending.ts";
import { Patience } from "./patience.ts";
import type { Door, Launch, Program } from "./program.ts";
import { upstreamFor } from "./upstream-for.ts";

export interface ProgramDeps {
  /** The process's proxy, opened when it is first wanted; `certificate` is its authority's, PEM. */
  capture(): Promise<{ proxy: CaptureProxy; certificate: string }>;
}

/** Longer logs than this are left where they are; the captured session then tells the work. */
const mostLogBytes = 256 * 1024 * 1024;

/**
 * Runs a program in the attempt's sandbox until it ends or is stopped. It reaches its model, and nothing else that the
 * sandbox would not let it, through a door in the sandbox's loopback: the key is added on this side, budgets hold there,
 * and every exchange is recorded.
 */
export async function runProgram(
  program: Program,
  context: AgentContext,
  deps: ProgramDeps,
): Promise<AgentResult> {
  const { sandbox, models, agent, budget, signal } = context;
  if (sandbox === undefined) throw new TracemillError("invalid-task", `${program.name} wants a sandbox`);
  if (agent.model === undefined)
    throw new TracemillError("invalid-spec", `${program.name} wants a \`model\``);
  const upstream = upstreamFor(program, agent.model, await models.upstream(agent.model));
  const home = homeOf(program, context);
  const { proxy, certificate } = await deps.capture();
  const work = new CapturedWork(program, instructionOf(context.task));
  using patience = new Patience(() => budget.reached !== undefined || work.isHopeless);
  const session = sessionOf(context, upstream, (exchange) => {
    work.add(exchange);
    patience.look();
    context.record(exchange);
  });
  context.keepTrajectory(() => work.trajectory());
  const result = await throughDoor({ proxy, session, sandbox }, async (port) => {
    const door = doorOf(context, sandbox, upstream, { port, certificate, home });
    return launch(program.launch(door), home, sandbox, AbortSignal.any([signal, patience.ended]));
  });
  work.keepLogs(await readLogs(program, home, sandbox));
  const { last, answered } = work;
  const explained = program.explain?.(result.stdout);
  const end = endOf({
    program: program.name,
    result,
    explained,
    last,
    answered,
    budget,
    stopped: signal.aborted,
  });
  return { end, trajectory: work.trajectory() };
}

interface DoorWay {
  proxy: CaptureProxy;
  session: CaptureSession;
  sandbox: Sandbox;
}

/** Keeps the door open while `work` is done; when it is shut, every exchange has been recorded. */
async function throughDoor<T>(
  { proxy, session, sandbox }: DoorWay,
  work: (port: number) => Promise<T>,
): Promise<T> {
  const listener = await sandbox.listen((connection) => proxy.serve(connection, session));
  try {
    return await work(listener.port);
  } finally {
    await proxy.end(session);
    await listener.close();
  }
}

function sessionOf(
  { budget, redactor }: AgentContext,
  upstream: ModelUpstream,
  record: (exchange: HttpExchange) => void,
): CaptureSession {
  const { price } = upstream;
  const cost = price === undefined ? {} : { cost: (_: string, usage: Usage) => costOf(price, usage) };
  return { id: "attempt", upstream, budget, redactor, record, ...cost };
}

function doorOf(
  { task, env }: AgentContext,
  { workdir, description }: Sandbox,
  { model, protocol }: ModelUpstream,
  { port, ...given }: { port: number; certificate: string; home: string },
): Door {
  const origin = `http://127.0.0.1:${port}`;
  const isAlone = description.network === "none";
  return { origin, model, protocol, instruction: instructionOf(task), workdir, env, ...given, isAlone };
}

/** A user of the task's own choice may not write where logs of agents usually are. */
function homeOf({ folder }: Program, { task }: AgentContext): string {
  const user = task.kind === "harbor" ? task.harbor.config.agent.user : undefined;
  return user == null ? `/logs/agent/${folder}` : `/var/tmp/tracemill-${folder}`;
}

/** Made by whoever runs the program, so that it can write there. */
const start = 'mkdir -p "$PROGRAM_HOME" && exec "$@"';

async function launch(
  { command, env, stdin, files = [] }: Launch,
  home: string,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<ExecResult> {
  await sandbox.writeFiles(files);
  const result = await sandbox.exec(["/bin/sh", "-c", start, "start", ...command], {
    env: { ...env, PROGRAM_HOME: home },
    stdin: stdin ?? "",
    signal,
  });
  await sandbox.remove(files.map(({ path }) => path));
  return result;
}

/** Lists the logs, and removes all else that a program keeps for itself: it is no part of the work. */
const tidy = `cd "$PROGRAM_HOME" || exit 0
for entry in * .[!.]*; do
  kept=
  for pattern in $KEPT; do
    case $pattern in "$entry"|"$entry"/*) kept=1 ;; esac
  done
  [ -n "$kept" ] || rm -rf "./$entry"
done
for file in $KEPT; do
  [ -f "$file" ] && printf '%s\\n' "$file"
done
rmdir "$PROGRAM_HOME" 2>/dev/null
exit 0`;

async function readLogs({ logs }: Program, home: string, sandbox: Sandbox): Promise<NativeLog[]> {
  const env = { PROGRAM_HOME: home, KEPT: logs.join(" ") };
  const { stdout } = await sandbox.exec(["/bin/sh", "-c", tidy], { env, cwd: "/" });
  const found: NativeLog[] = [];
  const names = stdout.split("\n").filter((line) => line !== "");
  for (const name of names.toSorted()) {
    const content = await sandbox.readFile(`${home}/${name}`, { maxBytes: mostLogBytes }).catch(tooLarge);
    if (content !== undefined) found.push({ path: name, text: Buffer.from(content).toString("utf8") });
  }
  return found;
}

/** Or no file any more: then it is no log. */
function tooLarge(error: unknown): undefined {
  if (error instanceof TracemillError && error.code === "invalid-input") return undefined;
  throw error;
}
