import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { jsonLinesBody, readJsonLines } from "../stored-json.ts";
import { zstd } from "../streams.ts";
import { type CapturedSession, joinSessions } from "./captured-session.ts";

interface Waiting {
  line: string;
  kept(): void;
  lost(error: unknown): void;
}

/**
 * What one process writes of one session: parts while it goes on, put into one object when it ends, and a
 * `CapturedSession` beside them. Killed at any moment, each exchange that was written is there, perhaps twice.
 */
export class SessionParts {
  readonly #objects: ObjectStore;
  readonly #writer: string;
  #session: CapturedSession | undefined;
  #sessionWritten: CapturedSession | undefined;
  #waiting: Waiting[] = [];
  #ids = new Set<string>();
  #parts = 0;
  #joined = 0;
  #turn: Promise<void> = Promise.resolve();
  /** Characters that wait to be written. */
  held = 0;

  constructor(objects: ObjectStore, writer: string) {
    this.#objects = objects;
    this.#writer = writer;
  }

  /** Whether anything is left to be written, or to be put into one object. */
  get isOpen(): boolean {
    return this.#waiting.length > 0 || this.#session !== this.#sessionWritten || this.#parts > this.#joined;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0 || this.#session !== this.#sessionWritten;
  }

  /** @param line of the exchange, with its line end. @param alone the session that the exchange makes by itself. */
  add(id: string, line: string, alone: CapturedSession): Promise<void> {
    if (this.#ids.has(id)) return this.flush();
    this.#ids.add(id);
    this.#session = joinSessions(this.#session, alone);
    this.held += line.length;
    return new Promise((kept, lost) => this.#waiting.push({ line, kept, lost }));
  }

  /** Writes what waits. What cannot be written goes on waiting. */
  flush(): Promise<void> {
    return this.#inTurn(() => this.#writePart());
  }

  /** Writes what waits, and puts all parts into one object. The session may go on afterwards. */
  end(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#writePart();
      await this.#joinParts();
    });
  }

  /** Gives up what could not be written. */
  giveUp(error: unknown): void {
    for (const { lost } of this.#waiting.splice(0)) lost(error);
  }

  /** Writes of one session go one after the other. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #writePart(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    if (this.#waiting.length > 0) await this.#writeLines(session.sessionId);
    if (session === this.#sessionWritten) return;
    const key = objectKeys.captureSession(session.sessionId, this.#writer);
    await this.#objects.put(key, Buffer.from(JSON.stringify(session)));
    this.#sessionWritten = session;
  }

  async #writeLines(sessionId: string): Promise<void> {
    const count = this.#waiting.length;
    const text = this.#waiting.map(({ line }) => line).join("");
    const key = objectKeys.capturePart(sessionId, this.#writer, this.#parts + 1);
    await this.#objects.put(key, await zstd(Buffer.from(text)));
    this.#parts += 1;
    this.held -= text.length;
    for (const { kept } of this.#waiting.splice(0, count)) kept();
  }

  async #joinParts(): Promise<void> {
    const sessionId = this.#session?.sessionId;
    if (sessionId === undefined || this.#parts === this.#joined) return;
    const keys: string[] = [];
    for (let part = this.#joined + 1; part <= this.#parts; part += 1) {
      keys.push(objectKeys.capturePart(sessionId, this.#writer, part));
    }
    const lines = () => jsonLinesBody(linesOf(this.#objects, keys));
    const { created } = await this.#objects.putIfAbsent(objectKeys.capture(sessionId), lines());
    if (!created) {
      await this.#objects.put(objectKeys.captureMore(sessionId, this.#writer, this.#parts), lines());
    }
    for (const key of keys) await this.#objects.delete(key);
    this.#joined = this.#parts;
    this.#ids.clear();
  }
}

/** Read and compressed anew: not every reader goes on after the first of several zstd frames (Node's does not). */
async function* linesOf(objects: ObjectStore, keys: readonly string[]): AsyncGenerator<unknown> {
  for (const key of keys) yield* readJsonLines(objects, key);
}
