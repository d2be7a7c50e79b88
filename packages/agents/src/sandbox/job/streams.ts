import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Folder } from "../namespace/open-folder.ts";
import { type FifoEnds, openFifo } from "./fifo.ts";

/** The streams of one request, on our side. */
export class RequestStreams {
  readonly stdin: Socket | undefined;
  readonly stdout: Socket;
  readonly stderr: Socket;
  /** The other sides, until the box has opened them. */
  readonly #held: number[];

  /** @throws TracemillError `sandbox-failed` when something in the box has replaced them. */
  constructor(folder: Folder, id: number, { input }: { input: boolean }) {
    const names = [`${id}.out`, `${id}.err`, ...(input ? [`${id}.in`] : [])];
    const [out, err, given] = openAll(folder, names);
    if (out === undefined || err === undefined) throw new Error("two streams at least");
    this.stdout = new Socket({ fd: out.reader, readable: true, writable: false });
    this.stderr = new Socket({ fd: err.reader, readable: true, writable: false });
    this.stdin = given && new Socket({ fd: given.writer, readable: false, writable: true });
    // One more writer too: who opens a FIFO whose only writer is gone waits for ever.
    this.#held = [out.writer, err.writer, ...(given === undefined ? [] : [given.reader, another(given)])];
    // A command may end without reading its input.
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream?.on("error", () => undefined);
  }

  /** @returns false when that was done before. */
  letGo(): boolean {
    const held = this.#held.splice(0);
    for (const fd of held) closeSync(fd);
    return held.length > 0;
  }

  /** Fulfilled when all output has come. */
  async drained(): Promise<void> {
    await Promise.all([closed(this.stdout), closed(this.stderr)]);
  }

  /** What stays in the background may still write; that is read and dropped, and keeps nobody waiting. */
  unref(): void {
    for (const output of [this.stdout, this.stderr]) output.unref();
  }
}

function another({ reader }: FifoEnds): number {
  return openSync(`/proc/self/fd/${reader}`, constants.O_WRONLY | constants.O_NONBLOCK);
}

function openAll(folder: Folder, names: readonly string[]): FifoEnds[] {
  const opened: FifoEnds[] = [];
  try {
    for (const name of names) opened.push(openFifo(folder, name));
    return opened;
  } catch (error) {
    for (const fd of opened.flatMap(({ reader, writer }) => [reader, writer])) closeSync(fd);
    throw error;
  }
}

function closed(stream: Socket): Promise<void> {
  return stream.closed ? Promise.resolve() : new Promise((resolve) => stream.once("close", () => resolve()));
}
