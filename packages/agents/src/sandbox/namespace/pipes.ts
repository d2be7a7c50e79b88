import { execFile } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { toolEnv } from "./tools.ts";

const run = promisify(execFile);
const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** How many are made at once: making them costs one process, however many. */
const batch = 32;

/** Two descriptors of one pipe. Each side closes its own. */
export interface Pipe {
  ours: number;
  theirs: number;
}

/**
 * Real pipes for commands. Node gives its children sockets, and those cannot be opened by name: a script's
 * `echo … > /dev/stderr` would fail. These are FIFOs without a name: made, opened and unlinked in batches.
 */
export class PipePool {
  readonly #dir: string;
  readonly #open: number[] = [];
  #filling: Promise<void> | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** A pipe from a command to us. */
  async output(): Promise<Pipe> {
    return this.#take(O_RDONLY | O_NONBLOCK, O_WRONLY);
  }

  /** A pipe from us to a command. */
  async input(): Promise<Pipe> {
    return this.#take(O_WRONLY | O_NONBLOCK, O_RDONLY);
  }

  async #take(ours: number, theirs: number): Promise<Pipe> {
    let fifo = this.#open.pop();
    while (fifo === undefined) {
      this.#filling ??= this.#fill().finally(() => {
        this.#filling = undefined;
      });
      await this.#filling;
      fifo = this.#open.pop();
    }
    // Both sides are open before the first descriptor goes, so that neither waits for the other.
    const path = `/proc/self/fd/${fifo}`;
    const pipe = { ours: openSync(path, ours), theirs: openSync(path, theirs) };
    closeSync(fifo);
    return pipe;
  }

  async #fill(): Promise<void> {
    const folder = mkdtempSync(join(this.#dir, "pipes-"));
    try {
      const names = Array.from({ length: batch }, (_, index) => join(folder, String(index)));
      await run("mkfifo", ["-m", "666", ...names], { env: toolEnv });
      for (const name of names) this.#open.push(openSync(name, O_RDWR | O_NONBLOCK));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
