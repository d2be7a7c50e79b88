import {
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { Socket } from "node:net";
import { TracemillError } from "@tracemill/core/errors.ts";
import { closeFolder, type Folder, isCode, openFolder, openRoot, pathIn } from "../namespace/open-folder.ts";
import type { PipedProcess } from "../namespace/process.ts";
import { type FifoEnds, makeFifos, openFifo } from "./fifo.ts";
import { followReplies } from "./replies.ts";
import { RequestStreams } from "./streams.ts";
import { inVolume } from "./volume.ts";

const { COPYFILE_EXCL, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

const program = readFileSync(new URL("box.sh", import.meta.url));

/** Streams of so many requests are made at once: making them costs one process, however many. */
const batch = 16;

/** How long output is waited for after a command's end when something else holds its streams open. */
const lingerMs = 50;

/** How long a killed command, or a box that is to end, may take to say so. */
const patienceMs = 5_000;

/** A request that the box has not said to be done. */
interface Pending {
  streams: RequestStreams;
  done(code: number): void;
}

/**
 * The worker's side of a box: a container that shares one volume with the worker, in which `box.sh` runs what it is
 * asked to. Everything in that volume may have been changed by whatever runs in the box. It is reached by folders
 * that were opened before anything ran there, never through a link, and what the box says is held to its form.
 */
export class Box {
  readonly name: string;
  /** Fulfilled when the box has started; rejected with `sandbox-failed` when it ends before. */
  readonly started: Promise<void>;
  /** Fulfilled when its first process has ended. */
  readonly ended: Promise<void>;
  /** For files on their way into the box. */
  readonly volume: Folder;
  readonly #requests: Folder;
  readonly #control: Record<"requests" | "replies" | "alive", FifoEnds>;
  readonly #listening: Socket[];
  readonly #pending = new Map<number, Pending>();
  readonly #made: number[] = [];
  #next = 1;
  #making: Promise<void> | undefined;
  #isReady = false;
  #isAlive = true;
  #closing: Promise<void> | undefined;

  private constructor(name: string, volume: Folder, requests: Folder) {
    this.name = name;
    this.volume = volume;
    this.#requests = requests;
    this.#control = {
      requests: openFifo(volume, "requests"),
      replies: openFifo(volume, "replies"),
      alive: openFifo(volume, "alive"),
    };
    const started = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    this.started = started.promise;
    this.started.catch(() => undefined);
    this.ended = ended.promise;
    const lost = (): void => {
      this.#lose();
      started.reject(hasEnded(name));
    };
    this.#listening = [this.#hear(started.resolve, lost), this.#watch(lost, ended.resolve)];
  }

  /**
   * Prepares a fresh volume; the box starts when its script is there.
   * @param busybox the program to bring along; without it the image's own tools are used.
   * @returns `undefined` for a volume that was used before.
   */
  static async prepare(name: string, path: string, busybox?: string): Promise<Box | undefined> {
    const volume = openRoot(path);
    try {
      mkdirSync(pathIn(volume, "r"), 0o755);
      const requests = openFolder(volume, "r");
      if (requests === undefined) throw new TracemillError("sandbox-failed", `${path}/r is no folder`);
      await makeFifos(volume, ["requests", "replies", "alive"]);
      const box = new Box(name, volume, requests);
      if (busybox !== undefined) copyFileSync(busybox, pathIn(volume, "busybox"), COPYFILE_EXCL);
      writeFileSync(pathIn(volume, "box.sh.new"), program, { mode: 0o755 });
      renameSync(pathIn(volume, "box.sh.new"), pathIn(volume, "box.sh"));
      return box;
    } catch (error) {
      closeFolder(volume);
      if (isCode(error, "EEXIST")) return undefined;
      throw error;
    }
  }

  get isAlive(): boolean {
    return this.#isAlive && this.#closing === undefined;
  }

  /** @throws TracemillError `sandbox-failed` when it is closed, or has ended. */
  assertOpen(): void {
    if (this.#closing !== undefined) throw new TracemillError("sandbox-failed", "the sandbox is closed");
    if (!this.#isAlive) throw hasEnded(this.name);
  }

  /**
   * Runs a script with `/bin/sh`. Its `$1` is the process id of the box's first process.
   * @throws TracemillError `sandbox-failed` when the box has ended.
   */
  async run(script: string, { input }: { input: boolean }): Promise<PipedProcess> {
    const id = await this.#takeStreams();
    this.assertOpen();
    this.#writeScript(id, script);
    const streams = new RequestStreams(this.#requests, id, { input });
    const ended = this.#endOf(id, streams);
    this.#say(`run ${id} ${input ? "in" : "-"}`);
    const { stdin, stdout, stderr } = streams;
    return { stdin, stdout, stderr, ended, killTree: () => this.#kill(id) };
  }

  #writeScript(id: number, script: string): void {
    inVolume(() => {
      const file = openSync(
        pathIn(this.#requests, `${id}.run`),
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
        0o644,
      );
      try {
        writeFileSync(file, `echo 'began ${id}' > /tracemill/replies\n${script}`);
      } finally {
        closeSync(file);
      }
    });
  }

  /** Ends the box. What is on its disk and in its volume goes with the task. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const { requests, replies } = this.#control;
    for (const fd of [requests.writer, requests.reader]) closeSync(fd);
    await within(this.ended, patienceMs);
    this.#lose();
    for (const socket of this.#listening) socket.destroy();
    closeSync(replies.writer);
    closeFolder(this.#requests);
    closeFolder(this.volume);
  }

  /** Whatever is at work in a box that ends was killed with it. */
  #lose(): void {
    this.#isAlive = false;
    for (const { done } of [...this.#pending.values()]) done(137);
  }

  #hear(ready: () => void, broken: () => void): Socket {
    const socket = boxSocket(this.#control.replies.reader);
    followReplies(socket, {
      ready: () => {
        if (this.#isReady) return false;
        this.#isReady = true;
        closeSync(this.#control.alive.writer);
        ready();
        return true;
      },
      began: (id) => this.#pending.get(id)?.streams.letGo() ?? false,
      done: (id, code) => {
        const pending = this.#pending.get(id);
        pending?.done(code);
        return pending !== undefined;
      },
      broken: () => {
        socket.destroy();
        broken();
      },
    });
    return socket;
  }

  /** The box holds this stream open as long as it lives, and never writes to it. */
  #watch(lost: () => void, ended: () => void): Socket {
    const socket = boxSocket(this.#control.alive.reader);
    socket.once("data", () => socket.destroy());
    socket.once("close", () => {
      lost();
      ended();
    });
    return socket;
  }

  #say(line: string): void {
    try {
      writeSync(this.#control.requests.writer, `${line}\n`);
    } catch {
      // Full: nothing has read from it for thousands of requests.
      this.#lose();
    }
  }

  #kill(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#say(`kill ${id}`);
    setTimeout(() => pending.done(137), patienceMs).unref();
  }

  async #endOf(id: number, streams: RequestStreams): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#pending.set(id, { streams, done: resolve });
    const code = await promise;
    this.#pending.delete(id);
    streams.letGo();
    streams.stdin?.destroy();
    await within(streams.drained(), lingerMs);
    streams.unref();
    this.#forget(id);
    return code;
  }

  #forget(id: number): void {
    if (this.#closing !== undefined) return;
    for (const kind of ["run", "in", "out", "err"]) {
      try {
        unlinkSync(pathIn(this.#requests, `${id}.${kind}`));
      } catch {
        // Something in the box was faster, or has put a folder there: its own disk is its own affair.
      }
    }
  }

  async #takeStreams(): Promise<number> {
    for (;;) {
      this.assertOpen();
      const id = this.#made.shift();
      if (id !== undefined) return id;
      this.#making ??= this.#makeStreams().finally(() => {
        this.#making = undefined;
      });
      await this.#making;
    }
  }

  async #makeStreams(): Promise<void> {
    const ids = Array.from({ length: batch }, (_, index) => this.#next + index);
    this.#next += batch;
    const names = ids.flatMap((id) => [`${id}.in`, `${id}.out`, `${id}.err`]);
    await makeFifos(this.#requests, names);
    this.#made.push(...ids);
  }
}

/** A stream of the box itself does not keep this process alive. */
function boxSocket(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: false }).on("error", () => undefined).unref();
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

function hasEnded(name: string): TracemillError {
  return new TracemillError(
    "sandbox-failed",
    `the container of box ${name} has ended; it may have used up its memory (\`compute.sandbox.boxMemoryMiB\`)`,
    { retryable: true },
  );
}
