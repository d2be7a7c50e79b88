import { type Duplex, PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { TracemillError } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { resultOf } from "../namespace/exec.ts";
import type { PipedProcess } from "../namespace/process.ts";
import { demultiplex } from "./demux.ts";
import { callEngine } from "./engine.ts";
import { killScript, startScript } from "./exec-scripts.ts";
import { FirstLine } from "./first-line.ts";

export interface ExecSpec {
  command: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** By name or number. */
  user: string;
  /** Largest file that it may write. */
  fileBytes: number;
  /** Whether it gets a pipe as input, or nothing. */
  input: boolean;
}

/** How long output is waited for after a command's end when something else holds its streams open. */
const lingerMs = 50;

/** How long a killed command may take to end. */
const patienceMs = 10_000;

/** A first look, and the longest time between two of them, at whether a command has ended. */
const firstLookMs = 100;
const mostLookMs = 1_000;
const overMs = 5;

/** How long a tool of ours may take that deletes files. */
const ownMs = 300_000;

/** Exit code of a command of which nothing more is known: its container, or the engine, is gone. */
const lostCode = 137;

/**
 * Starts a command in a running container, under a shell of its own that becomes it and says its process id first.
 * @throws TracemillError `sandbox-failed`.
 */
export async function startExec(container: Docker.Container, spec: ExecSpec): Promise<PipedProcess> {
  const exec = await callEngine("starting a command", (abortSignal) =>
    container.exec({
      Cmd: ["/bin/sh", "-c", startScript, "start", ...startArguments(spec)],
      AttachStdin: spec.input,
      AttachStdout: true,
      AttachStderr: true,
      User: spec.user,
      // The image's own folder may be gone by now.
      WorkingDir: "/",
      abortSignal,
    }),
  );
  const stream = await callEngine("starting a command", () =>
    exec.start({ hijack: true, stdin: spec.input }),
  );
  return new RunningExec(container, exec, stream, spec.input).process();
}

/** Runs a tool of the image as root. @throws TracemillError `sandbox-failed` when it fails. */
export async function runOwn(
  container: Docker.Container,
  doing: string,
  { command, env }: Pick<ExecSpec, "command" | "env">,
): Promise<void> {
  const spec = { command, env, cwd: "/", user: "0", fileBytes: Number.MAX_SAFE_INTEGER, input: false };
  const started = await startExec(container, spec);
  const { exitCode, stderr } = await resultOf(started, { timeoutMs: ownMs, maxOutputBytes: 8_192 });
  if (exitCode === 0) return;
  throw new TracemillError("sandbox-failed", `${doing} failed with ${exitCode}: ${stderr.trim()}`);
}

function startArguments({ command, cwd, env, fileBytes }: ExecSpec): string[] {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [String(Math.ceil(fileBytes / 512)), cwd, ...variables, ...asProgram(command)];
}

/** `env` would take a program with an equals sign in its name for a variable. */
function asProgram(command: readonly string[]): readonly string[] {
  return command[0]?.includes("=") === true ? ["/bin/sh", "-c", 'exec "$0" "$@"', ...command] : command;
}

class RunningExec {
  readonly #container: Docker.Container;
  readonly #exec: Docker.Exec;
  readonly #stream: Duplex;
  readonly #input: boolean;
  readonly #stdout = new PassThrough();
  readonly #stderr = new PassThrough();
  /** In the container; fulfilled with `undefined` for a command that never began. */
  readonly #pid = Promise.withResolvers<number | undefined>();
  readonly #gaveUp = Promise.withResolvers<number>();
  readonly #whole: Promise<void>;

  constructor(container: Docker.Container, exec: Docker.Exec, stream: Duplex, input: boolean) {
    this.#container = container;
    this.#exec = exec;
    this.#stream = stream;
    this.#input = input;
    // A command may end without reading its input, and an engine may go away: `#end` finds out which.
    stream.on("error", () => undefined);
    this.#whole = this.#read();
  }

  process(): PipedProcess {
    return {
      stdin: this.#input ? this.#stream : undefined,
      stdout: this.#stdout,
      stderr: this.#stderr,
      ended: this.#end(),
      killTree: () => void this.#kill(),
    };
  }

  async #read(): Promise<void> {
    const first = new FirstLine(this.#stdout, this.#pid.resolve);
    try {
      await demultiplex(this.#stream, { stdout: first, stderr: this.#stderr });
    } catch {
      // What came until then stays.
    }
    await new Promise<void>((resolve) => first.end(resolve));
    this.#stdout.end();
    this.#stderr.end();
    this.#pid.resolve(undefined);
  }

  async #end(): Promise<number> {
    const code = await Promise.race([this.#code(), this.#gaveUp.promise]);
    await Promise.race([this.#whole, sleep(lingerMs)]);
    this.#stream.destroy();
    return code;
  }

  /** The stream ends with the command, unless something that it left in the background holds it open. */
  async #code(): Promise<number> {
    let over = false;
    const whole = this.#whole.then(() => {
      over = true;
    });
    for (let waitMs = firstLookMs; ; waitMs = Math.min(2 * waitMs, mostLookMs)) {
      // Once the stream is over the engine takes a moment to know the exit code.
      await (over ? sleep(overMs) : Promise.race([whole, sleep(waitMs, undefined, { ref: false })]));
      const code = await this.#look();
      if (code !== undefined) return code;
    }
  }

  /** The exit code; `undefined` while it runs. */
  async #look(): Promise<number | undefined> {
    try {
      const { Running, ExitCode } = await callEngine("looking at a command", (abortSignal) =>
        this.#exec.inspect({ abortSignal }),
      );
      return Running || ExitCode === null ? undefined : ExitCode;
    } catch {
      return lostCode;
    }
  }

  async #kill(): Promise<void> {
    setTimeout(() => this.#gaveUp.resolve(lostCode), patienceMs).unref();
    const pid = await this.#pid.promise;
    if (pid === undefined) return;
    try {
      await callEngine("ending a command", async (abortSignal) => {
        const killer = await this.#container.exec({
          Cmd: ["/bin/sh", "-c", killScript, "kill", String(pid)],
          User: "0",
          WorkingDir: "/",
          abortSignal,
        });
        await killer.start({ Detach: true });
      });
    } catch {
      this.#gaveUp.resolve(lostCode);
    }
  }
}
