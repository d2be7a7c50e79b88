import { TracemillError } from "@tracemill/core/errors.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { Sandbox, SandboxProcess } from "@tracemill/core/ports/sandbox.ts";
import { keysToSend } from "./keys.ts";
import { noPtyExitCode, startShell, type TerminalSize } from "./pty.ts";
import { openScreen, type Screen, type View } from "./screen.ts";

/** A terminal that somebody types into and looks at. */
export interface Terminal {
  /** Types, without waiting for what comes of it. Nothing happens once the shell has ended. */
  type(keystrokes: string): Promise<void>;
  /**
   * Waits so many milliseconds, or until the shell has ended. `until: "prompt"`: or until the shell is back at its
   * prompt after what was typed last, where it tells.
   */
  wait(ms: number, until: "time" | "prompt", signal: AbortSignal): Promise<void>;
  /** What is new on the screen since the last look, or all of it. */
  look(): View;
  /** The whole screen. */
  text(): string;
  /** The exit code of the shell, once it has ended. */
  readonly ended: number | undefined;
  close(): Promise<void>;
}

/** How often a wait looks whether it may end, and how long a prompt has to stand there before it counts. */
const pollMs = 25;
const settledMs = 150;
/** A terminal line holds 4096 bytes; programs get time to read what is pasted. */
const chunkLength = 1_024;
const chunkPauseMs = 10;
/** Until a new shell shows its prompt. */
const startMs = 10_000;

type ShellState = "prompt" | "busy";

class SandboxTerminal implements Terminal {
  readonly #process: SandboxProcess;
  readonly #clock: Clock;
  readonly #screen: Screen;
  /** `prompt` only when a prompt came after what was typed last. */
  #state: ShellState = "busy";
  #lastOutputAt: number;
  #ended: number | undefined;
  readonly #reading: Promise<void>;

  constructor(process: SandboxProcess, screen: Screen, clock: Clock) {
    this.#process = process;
    this.#clock = clock;
    this.#lastOutputAt = clock.now();
    this.#screen = screen;
    screen.onAnswer((data) => void this.#write(data));
    screen.onCommand(133, (mark) => {
      this.#state = mark.startsWith("A") ? "prompt" : "busy";
    });
    this.#reading = this.#read();
  }

  get ended(): number | undefined {
    return this.#ended;
  }

  async #read(): Promise<void> {
    try {
      for await (const chunk of this.#process.stdout) {
        await this.#screen.write(chunk);
        this.#lastOutputAt = this.#clock.now();
      }
    } catch {
      // The sandbox was closed under it: the exit code says what there is to say.
    }
    this.#ended = await this.#process.exited;
  }

  /** A shell that has just ended takes no more: `ended` says so. */
  async #write(data: string): Promise<void> {
    await this.#process.write(data).catch(() => undefined);
  }

  async type(keystrokes: string): Promise<void> {
    const data = keysToSend(keystrokes, { applicationCursor: this.#screen.applicationCursor });
    if (data !== "") this.#state = "busy";
    const characters = [...data];
    for (let from = 0; from < characters.length && this.#ended === undefined; from += chunkLength) {
      if (from > 0) await this.#clock.sleep(chunkPauseMs);
      await this.#write(characters.slice(from, from + chunkLength).join(""));
    }
  }

  async wait(ms: number, until: "time" | "prompt", signal: AbortSignal): Promise<void> {
    const deadline = this.#clock.now() + ms;
    for (;;) {
      const left = deadline - this.#clock.now();
      if (left <= 0 || this.#ended !== undefined || (until === "prompt" && this.#isSettled())) return;
      await this.#clock.sleep(Math.min(left, pollMs), signal);
    }
  }

  #isSettled(): boolean {
    return this.#state === "prompt" && this.#clock.now() - this.#lastOutputAt >= settledMs;
  }

  look(): View {
    return this.#screen.look();
  }

  text(): string {
    return this.#screen.text();
  }

  async close(): Promise<void> {
    if (this.#ended === undefined) this.#process.kill();
    await this.#reading;
    this.#screen.dispose();
  }
}

/**
 * A shell on a terminal in a sandbox, in its working directory.
 * @throws TracemillError `unsupported` when the environment has neither `script` nor Python, `sandbox-failed` when the
 * shell ends at once.
 */
export async function openTerminal(
  sandbox: Sandbox,
  size: TerminalSize,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Terminal> {
  const screen = await openScreen(size);
  const terminal = new SandboxTerminal(await startShell(sandbox, size), screen, clock);
  try {
    await terminal.wait(startMs, "prompt", signal);
    if (terminal.ended !== undefined) throw endedAtOnce(terminal.ended, terminal.text());
    return terminal;
  } catch (error) {
    await terminal.close();
    throw error;
  }
}

function endedAtOnce(exitCode: number, text: string): TracemillError {
  if (exitCode === noPtyExitCode) {
    return new TracemillError(
      "unsupported",
      "the task's environment can open no terminal: it has neither `script` of util-linux nor `python3`; add one to its Dockerfile, or use the agent `tools`",
    );
  }
  return new TracemillError(
    "sandbox-failed",
    `the shell of the terminal ended at once with ${exitCode}: ${text}`,
  );
}
