import type { RecordedExchange } from "../ports/model-client.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { Scratch, ScratchFile } from "../ports/scratch.ts";
import type { Redactor } from "../redact/redactor.ts";
import { jsonLine } from "../stored-json.ts";
import { zstdStream } from "../streams.ts";

/** What an attempt said to models, redacted as it comes and kept in a scratch file until the attempt has ended. */
export class ExchangeLog implements AsyncDisposable {
  readonly #scratch: Scratch;
  readonly #redactor: Redactor;
  /** Each request repeats the conversation before it: what was redacted once is taken as it was. */
  readonly #clean = new WeakMap<object, unknown>();
  #file: ScratchFile | undefined;
  #written: Promise<void> = Promise.resolve();
  #count = 0;

  constructor(scratch: Scratch, redactor: Redactor) {
    this.#scratch = scratch;
    this.#redactor = redactor;
  }

  /** Keeps an exchange. That it could not be written is told by `store`. */
  readonly record = (exchange: RecordedExchange): void => {
    const line = jsonLine(this.#redacted(exchange));
    this.#count += 1;
    this.#written = this.#written.then(() => this.#write(line));
    this.#written.catch(() => undefined);
  };

  /**
   * Puts all of it under `key`.
   * @returns false when there was nothing. @throws what the scratch file or the store throws.
   */
  async store(key: string, objects: Pick<ObjectStore, "put">): Promise<boolean> {
    // Taken before the wait: what is recorded after the end is no part of it.
    const count = this.#count;
    await this.#written;
    if (count === 0 || this.#file === undefined) return false;
    await objects.put(key, zstdStream(this.#file.read()));
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#written.catch(() => undefined);
    await this.#file?.[Symbol.asyncDispose]();
  }

  async #write(line: string): Promise<void> {
    this.#file ??= await this.#scratch.create();
    await this.#file.write(line);
  }

  #redacted(exchange: RecordedExchange): RecordedExchange {
    // A proxy redacts before it makes an exchange.
    if ("kind" in exchange) return exchange;
    const messages = exchange.request.messages.map((message) => this.#once(message));
    const tools = exchange.request.tools.map((tool) => this.#once(tool));
    const { tokens, ...said } = exchange.answer;
    const answer = this.#redactor.json(said);
    const isClean =
      answer === said && isSame(messages, exchange.request.messages) && isSame(tools, exchange.request.tools);
    // Token ids spell out what the text no longer says.
    const kept = isClean && tokens !== undefined ? { tokens } : {};
    return { ...exchange, request: { messages, tools }, answer: { ...answer, ...kept } };
  }

  #once<T extends object>(value: T): T {
    const before = this.#clean.get(value);
    if (before !== undefined) return before as T;
    const clean = this.#redactor.json(value);
    this.#clean.set(value, clean);
    return clean;
  }
}

function isSame(after: readonly unknown[], before: readonly unknown[]): boolean {
  return after.every((each, at) => each === before[at]);
}
