import { once } from "node:events";
import { isTracemillError, messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type { ExecOptions, ExecResult, SandboxProcess } from "@tracemill/core/ports/sandbox.ts";
import { BoundedOutput } from "./output.ts";
import type { PipePool } from "./pipes.ts";
import { type PipedProcess, spawnPiped } from "./process.ts";
import { enter } from "./scripts.ts";

/** Where and how a command starts. */
export interface Entry {
  /** The sandbox's first process. */
  pid: number;
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Files to which the process writes `0` to join its control groups. */
  join: readonly string[];
  fileBytes: number | undefined;
  /** Limits for machines without control groups, as `prlimit` takes them. */
  rlimits: readonly string[];
  /** Namespaces to join beside user and mount, as options of nsenter: all that the sandbox has of its own. */
  namespaces: readonly string[];
  pipes: PipePool;
  /** Descriptors that it must not inherit. */
  inherited: readonly number[];
}

/** What Docker leaves to a container's root by default. In a user namespace none of it reaches the host. */
const capabilities =
  "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

const defaultOutputBytes = 1024 * 1024;

/**
 * Runs a command to its end. Exit codes as in Docker: 126 when the command or its folder cannot be entered, 127 when
 * there is no such command, 128 + n for signal n.
 */
export async function runIn(
  entry: Entry,
  command: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  let child: PipedProcess;
  try {
    child = await startCommand(entry, command, options.stdin !== undefined);
  } catch (error) {
    return notStarted(error);
  }
  const result = await resultOf(child, options);
  const hasNoFolder =
    result.exitCode === 125 && result.stderr.startsWith("/usr/bin/env: cannot change directory");
  return hasNoFolder ? { ...result, exitCode: 126 } : result;
}

/** Feeds a command and waits for its end. Output is kept in part, see `BoundedOutput`. */
export async function resultOf(
  child: PipedProcess,
  { timeoutMs, stdin, maxOutputBytes = defaultOutputBytes, signal }: ExecOptions,
): Promise<ExecResult> {
  const startedAt = performance.now();
  const stdout = new BoundedOutput(maxOutputBytes);
  const stderr = new BoundedOutput(maxOutputBytes);
  child.stdout.on("data", (chunk: Buffer) => stdout.add(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.add(chunk));
  if (stdin !== undefined) child.stdin?.end(stdin);
  const timedOut = await endOf(child, timeoutMs, signal);
  return {
    exitCode: await child.ended,
    stdout: stdout.text(),
    stderr: stderr.text(),
    timedOut,
    truncated: stdout.truncated || stderr.truncated,
    durationMs: Math.round(performance.now() - startedAt),
  };
}

/** Waits for the end, and brings it about when time runs out or the signal comes. @returns whether time ran out. */
async function endOf(child: PipedProcess, timeoutMs?: number, signal?: AbortSignal): Promise<boolean> {
  let timedOut = false;
  const onTimeout = (): void => {
    timedOut = true;
    child.killTree();
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs);
  const onAbort = (): void => child.killTree();
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  await child.ended;
  clearTimeout(timer);
  signal?.removeEventListener("abort", onAbort);
  return timedOut;
}

/** Starts a command that stays. Its standard error is dropped. */
export async function startIn(entry: Entry, command: readonly string[]): Promise<SandboxProcess> {
  return standing(await startCommand(entry, command, true));
}

/** A process that stays, as users of a sandbox see it. */
export function standing({ stdin, stdout, stderr, ended, killTree }: PipedProcess): SandboxProcess {
  stderr.resume();
  return {
    stdout,
    exited: ended,
    kill: killTree,
    write: async (data) => {
      if (stdin?.write(data) === false)
        await Promise.race([once(stdin, "drain"), once(stdin, "close"), ended]);
    },
  };
}

async function startCommand(entry: Entry, command: readonly string[], input: boolean): Promise<PipedProcess> {
  if (command.length === 0)
    throw new TracemillError("invalid-input", "an empty command; give at least its name");
  const { pipes, inherited } = entry;
  return spawnPiped("/bin/sh", ["-c", enter, "enter", ...enterArguments(entry, command)], {
    pipes,
    inherited,
    input,
  });
}

function enterArguments(entry: Entry, command: readonly string[]): string[] {
  const { pid, cwd, env, join, fileBytes, rlimits, namespaces } = entry;
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [
    fileBytes === undefined ? "unlimited" : String(Math.ceil(fileBytes / 512)),
    ...join,
    "--",
    ...(rlimits.length === 0 ? [] : ["prlimit", ...rlimits, "--"]),
    ...["nsenter", "-t", String(pid), "-U", "-m", ...namespaces, ...credentials(), "--"],
    ...["setpriv", "--no-new-privs", "--bounding-set", capabilities],
    ...["chroot", "/sb", "/usr/bin/env", "-i", "-C", cwd, "--", ...variables, ...command],
  ];
}

/** For nsenter. Without root there is one id, which is the right one already, and groups may not be changed. */
export function credentials(): string[] {
  return process.geteuid?.() === 0 ? [] : ["--preserve-credentials"];
}

/** A command that cannot even be tried is a result too, as any other that cannot run. */
export function notStarted(error: unknown): ExecResult {
  if (isTracemillError(error)) throw error;
  const stderr = `the command cannot be started: ${messageOf(error)}\n`;
  return { exitCode: 126, stdout: "", stderr, timedOut: false, truncated: false, durationMs: 0 };
}
