import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, readFileSync } from "node:fs";
import { Socket } from "node:net";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { shut } from "./inherited.ts";
import type { Pipe, PipePool } from "./pipes.ts";
import { toolEnv } from "./tools.ts";

/** A host process whose streams are real pipes. */
export interface PipedProcess {
  /** Absent when the command gets no input. */
  stdin: Writable | undefined;
  stdout: Readable;
  stderr: Readable;
  /**
   * The exit code (128 + n for signal n), once the output is whole. What stays in the background may hold the
   * pipes open; its later output is read and dropped, since closing them would end it.
   */
  ended: Promise<number>;
  /** Kills its process group and all its descendants, in whatever groups they are. */
  killTree(): void;
}

export interface SpawnOptions {
  pipes: PipePool;
  /** Descriptors that it must not inherit. */
  inherited: readonly number[];
  /** Whether it gets a pipe as input, or nothing. */
  input: boolean;
}

/** How long output is waited for after a command's end when something else holds its pipes open. */
const lingerMs = 50;

/** @throws the system's error when it cannot be started: an argument with a NUL, or too many of them. */
export async function spawnPiped(
  command: string,
  args: readonly string[],
  { pipes, inherited, input }: SpawnOptions,
): Promise<PipedProcess> {
  const [stdin, stdout, stderr] = await Promise.all([
    input ? pipes.input() : undefined,
    pipes.output(),
    pipes.output(),
  ]);
  let child: ChildProcess;
  try {
    child = spawn(command, args, {
      cwd: "/",
      env: toolEnv,
      stdio: [stdin?.theirs ?? "ignore", stdout.theirs, stderr.theirs, ...shut(inherited)],
      // Its own session: no terminal of ours to write to, and one group to kill.
      detached: true,
    });
  } catch (error) {
    for (const pipe of [stdin, stdout, stderr]) if (pipe !== undefined) closeSync(pipe.ours);
    throw error;
  } finally {
    for (const pipe of [stdin, stdout, stderr]) if (pipe !== undefined) closeSync(pipe.theirs);
  }
  const streams = { stdin: writer(stdin), stdout: reader(stdout), stderr: reader(stderr) };
  return {
    ...streams,
    ended: ended(child, [streams.stdout, streams.stderr]),
    killTree: () => killTree(child),
  };
}

function reader({ ours }: Pipe): Socket {
  return new Socket({ fd: ours, readable: true, writable: false });
}

function writer(pipe: Pipe | undefined): Socket | undefined {
  const stream = pipe && new Socket({ fd: pipe.ours, readable: false, writable: true });
  // A command may end without reading its input.
  stream?.on("error", () => undefined);
  return stream;
}

async function ended(child: ChildProcess, outputs: readonly Socket[]): Promise<number> {
  const whole = Promise.all(outputs.map((output) => new Promise((resolve) => output.once("close", resolve))));
  const code = await new Promise<number>((resolve) => {
    child.once("error", () => resolve(126));
    child.once("exit", (exitCode, signal) => {
      resolve(exitCode ?? 128 + (signal === null ? constants.signals.SIGKILL : constants.signals[signal]));
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const linger = new Promise((resolve) => {
    timer = setTimeout(resolve, lingerMs);
  });
  await Promise.race([whole, linger]);
  clearTimeout(timer);
  for (const output of outputs) output.unref();
  return code;
}

function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  for (const pid of [-child.pid, ...descendants(child.pid)]) {
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
