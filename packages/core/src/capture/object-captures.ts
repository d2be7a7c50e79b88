import pMap from "p-map";
import { messageOf, TracemillError } from "../errors.ts";
import { objectKeys } from "../keys.ts";
import type { Clock } from "../ports/clock.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RedactionCounts } from "../redact/redactor.ts";
import { parseAs } from "../validation.ts";
import type { CaptureStore } from "./capture-store.ts";
import { type CapturedSession, sessionOfExchange } from "./captured-session.ts";
import type { HttpExchange } from "./http-exchange.ts";
import { SessionParts } from "./session-parts.ts";
import { SessionName } from "./session-token.ts";
import { storedExchanges, storedSessions } from "./stored-captures.ts";

/** A kill loses what ended this long before it, at most; a busy session costs one small object for as much time. */
const flushMs = 2_000;
/** A session in which nothing ended for so long is put into one object. */
const idleMs = 600_000;
/** What waits of one session is written at once from here on. */
const flushChars = 8 * 2 ** 20;
const defaultHeldMiB = 256;
/** Sessions that are written at once. */
const concurrency = 16;

export interface ObjectCaptureDeps {
  objects: ObjectStore;
  clock: Clock;
  /** Names this process among those that write: letters and digits, ascending with time, as a ULID. */
  writer: string;
  /** Hears of a write that failed and is going to be tried again. */
  onTrouble(message: string): void;
  /** What may wait to be written, of all sessions together; exchanges beyond it are refused. Default: 256. */
  heldMiB?: number;
}

/**
 * Captured exchanges as objects below `captures/SESSION/`: parts every two seconds while a session goes on, then one
 * `exchanges.jsonl.zst`. Each process writes objects of its own alone, so that none can undo what another wrote.
 */
export function openObjectCaptures(deps: ObjectCaptureDeps): CaptureStore {
  return new ObjectCaptures(deps);
}

class ObjectCaptures implements CaptureStore {
  readonly #deps: ObjectCaptureDeps;
  readonly #sessions = new Map<string, { parts: SessionParts; lastAt: number }>();
  readonly #closed = new AbortController();
  #ticking: Promise<void> | undefined;

  constructor(deps: ObjectCaptureDeps) {
    this.#deps = deps;
  }

  async append(exchange: HttpExchange, redactions?: RedactionCounts): Promise<void> {
    const { id, sessionId } = exchange;
    parseAs(SessionName, sessionId, `session ${JSON.stringify(sessionId)}`);
    const line = `${JSON.stringify(exchange)}\n`;
    this.#refuseTooMuch(line.length);
    const { parts } = this.#visit(sessionId);
    const kept = parts.add(id, line, sessionOfExchange(exchange, redactions));
    if (parts.held > flushChars) this.#inBackground(parts.flush());
    this.#ticking ??= this.#tick();
    await kept;
  }

  async *sessions(): AsyncGenerator<CapturedSession> {
    await this.#flush();
    yield* await storedSessions(this.#deps.objects, objectKeys.captures());
  }

  async find(sessionId: string): Promise<CapturedSession | undefined> {
    await this.#flush();
    const [session] = await storedSessions(this.#deps.objects, objectKeys.captures(sessionId));
    return session;
  }

  async *exchanges(sessionId: string): AsyncGenerator<HttpExchange> {
    await this.#flush();
    yield* storedExchanges(this.#deps.objects, sessionId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#ticking;
    const all = [...this.#sessions.values()].map(({ parts }) => parts);
    try {
      await pMap(all, (parts) => parts.end(), { concurrency, stopOnError: false });
    } catch (error) {
      const [reason] = error instanceof AggregateError ? error.errors : [error];
      for (const parts of all) parts.giveUp(reason);
      throw reason;
    }
  }

  #visit(sessionId: string): { parts: SessionParts } {
    const { objects, writer, clock } = this.#deps;
    const entry = this.#sessions.get(sessionId) ?? { parts: new SessionParts(objects, writer), lastAt: 0 };
    entry.lastAt = clock.now();
    this.#sessions.set(sessionId, entry);
    return entry;
  }

  /** Ends by itself once nothing is left to be written. */
  async #tick(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#closed;
    while (!signal.aborted && [...this.#sessions.values()].some(({ parts }) => parts.isOpen)) {
      await clock.sleep(flushMs, signal).catch(() => undefined);
      if (signal.aborted) break;
      const before = clock.now() - idleMs;
      await pMap([...this.#sessions.values()], (entry) => this.#writeDue(entry, before), { concurrency });
    }
    this.#ticking = undefined;
  }

  async #writeDue({ parts, lastAt }: { parts: SessionParts; lastAt: number }, before: number): Promise<void> {
    if (parts.isWaiting) await this.#tolerated(parts.flush());
    else if (lastAt <= before && parts.isOpen) await this.#tolerated(parts.end());
  }

  #inBackground(work: Promise<void>): void {
    void this.#tolerated(work);
  }

  async #tolerated(work: Promise<void>): Promise<void> {
    await work.catch((error) => this.#deps.onTrouble(`captures wait to be written: ${messageOf(error)}`));
  }

  async #flush(): Promise<void> {
    await pMap([...this.#sessions.values()], ({ parts }) => parts.flush(), { concurrency });
  }

  #refuseTooMuch(more: number): void {
    let held = more;
    for (const { parts } of this.#sessions.values()) held += parts.held;
    const { heldMiB = defaultHeldMiB } = this.#deps;
    if (held <= heldMiB * 2 ** 20) return;
    throw new TracemillError(
      "storage-failed",
      `${heldMiB} MiB of captures wait to be written; this exchange is not kept`,
      { retryable: true },
    );
  }
}
