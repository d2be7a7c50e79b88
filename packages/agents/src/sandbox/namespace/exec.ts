import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type { ExecOptions, ExecResult, SandboxProcess } from "@tracemill/core/ports/sandbox.ts";
import { BoundedOutput } from "./output.ts";
import { enter } from "./scripts.ts";
import { toolEnv } from "./tools.ts";

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
}

/** What Docker leaves to a container's root by default. In a user namespace none of it reaches the host. */
const capabilities =
  "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

const defaultOutputBytes = 1024 * 1024;
/** How long output is waited for after a command's end when something else holds its pipes open. */
const lingerMs = 50;

/**
 * Runs a command to its end. Output is kept in part, see `BoundedOutput`. Exit codes as in Docker: 126 when the
 * command or its folder cannot be entered, 127 when there is no such command, 128 + n for signal n.
 */
export async function runIn(
  entry: Entry,
  command: readonly string[],
  { timeoutMs, stdin, maxOutputBytes = defaultOutputBytes, signal }: ExecOptions,
): Promise<ExecResult> {
  const startedAt = performance.now();
  const child = tryEnter(entry, command);
  if (typeof child === "string") return notStarted(child);
  const stdout = new BoundedOutput(maxOutputBytes);
  const stderr = new BoundedOutput(maxOutputBytes);
  child.stdout.on("data", (chunk: Buffer) => stdout.add(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.add(chunk));
  child.stdin.end(stdin ?? "");
  let timedOut = false;
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          killTree(child);
        }, timeoutMs);
  const onAbort = (): void => killTree(child);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  const code = await ended(child);
  clearTimeout(timer);
  signal?.removeEventListener("abort", onAbort);
  const errors = stderr.text();
  return {
    exitCode: code === 125 && errors.startsWith("/usr/bin/env: cannot change directory") ? 126 : code,
    stdout: stdout.text(),
    stderr: errors,
    timedOut,
    truncated: stdout.truncated || stderr.truncated,
    durationMs: Math.round(performance.now() - startedAt),
  };
}

/** Starts a command that stays. Its standard error is dropped. */
export function startIn(entry: Entry, command: readonly string[]): SandboxProcess {
  const child = tryEnter(entry, command);
  if (typeof child === "string") throw new TracemillError("invalid-input", child);
  child.stderr.resume();
  return {
    stdout: child.stdout,
    exited: ended(child),
    kill: () => killTree(child),
    write: async (data) => {
      if (!child.stdin.write(data)) await Promise.race([once(child.stdin, "drain"), once(child, "exit")]);
    },
  };
}

/** The started process, or why it cannot even be tried. */
function tryEnter(entry: Entry, command: readonly string[]): ChildProcessWithoutNullStreams | string {
  if (command.length === 0) return "give a command: the argument list is empty";
  try {
    const child = spawn("/bin/sh", ["-c", enter, "enter", ...enterArguments(entry, command)], {
      cwd: "/",
      env: toolEnv,
      stdio: ["pipe", "pipe", "pipe"],
      // Its own session: no terminal of ours to write to, and one group to kill.
      detached: true,
    });
    child.on("error", () => undefined);
    child.stdin.on("error", () => undefined);
    return child;
  } catch (error) {
    return `the command cannot be started: ${messageOf(error)}`;
  }
}

function enterArguments(
  { pid, cwd, env, join, fileBytes, rlimits, namespaces }: Entry,
  command: readonly string[],
): string[] {
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

/** Without root there is one id, which is the right one already, and groups may not be changed. */
function credentials(): string[] {
  return process.geteuid?.() === 0 ? [] : ["--preserve-credentials"];
}

function notStarted(reason: string): ExecResult {
  return {
    exitCode: 126,
    stdout: "",
    stderr: `${reason}\n`,
    timedOut: false,
    truncated: false,
    durationMs: 0,
  };
}

/**
 * The exit code, once the output is whole. A process that stays in the background may hold the pipes open: its
 * later output is read and dropped, since closing them would end it.
 */
function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    let code = 126;
    child.once("error", () => resolve(code));
    child.once("close", () => resolve(code));
    child.once("exit", (exitCode, signal) => {
      code = exitCode ?? 128 + (signal === null ? 9 : constants.signals[signal]);
      setTimeout(() => {
        for (const stream of [child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref();
        resolve(code);
      }, lingerMs);
    });
  });
}

/** Kills the command's process group and all its descendants, in whatever groups they are. */
function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const tree = descendants(child.pid);
  for (const pid of [-child.pid, ...tree]) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

function descendants(pid: number): number[] {
  const found: number[] = [];
  const todo = [pid];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const children = childrenOf(next);
    found.push(...children);
    todo.push(...children);
  }
  return found;
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    return [];
  }
}
