import { unlessStopped } from "../tool-loop.ts";
import { endedText } from "./prompts.ts";
import type { Command } from "./reply.ts";
import type { View } from "./screen.ts";
import type { Terminal } from "./terminal.ts";

/** A shell that ends so often is not the agent's to use. */
const maxRestarts = 20;

/** A terminal that is never without a shell: one that has ended is followed by a new one. */
export class ShellDesk implements AsyncDisposable {
  #terminal: Terminal;
  readonly #open: () => Promise<Terminal>;
  readonly #workdir: string;
  #restarts = 0;

  /** @param open opens a terminal with a new shell. */
  constructor(terminal: Terminal, open: () => Promise<Terminal>, workdir: string) {
    this.#terminal = terminal;
    this.#open = open;
    this.#workdir = workdir;
  }

  /** Why it is of no more use; `undefined` as long as it is. */
  get failure(): string | undefined {
    return this.#restarts > maxRestarts ? `its shell ended ${this.#restarts} times` : undefined;
  }

  /**
   * Types commands one after the other, each with its wait; then looks. Stops early when the signal is aborted.
   * @returns what is to be seen, and what is to be said of it.
   */
  async type(
    commands: readonly Command[],
    { wait, signal }: { wait: "prompt" | "full"; signal: AbortSignal },
  ): Promise<{ view: View; notes: string[] }> {
    try {
      for (const { keystrokes, seconds } of commands) {
        if (signal.aborted || this.#terminal.ended !== undefined) break;
        await this.#terminal.type(keystrokes);
        await this.#terminal.wait(seconds * 1_000, wait === "prompt" ? "prompt" : "time", signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    const view = this.#terminal.look();
    const { ended } = this.#terminal;
    if (ended === undefined || signal.aborted) return { view, notes: [] };
    await unlessStopped(this.#restart(), signal);
    return { view, notes: [endedText(ended, this.#workdir)] };
  }

  async #restart(): Promise<void> {
    this.#restarts += 1;
    if (this.failure !== undefined) return;
    await this.#terminal.close();
    this.#terminal = await this.#open();
    this.#terminal.look();
  }

  look(): View {
    return this.#terminal.look();
  }

  screen(): string {
    return this.#terminal.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#terminal.close();
  }
}
