import type { RedactionCounts } from "../redact/redactor.ts";
import type { CapturedSession } from "./captured-session.ts";
import type { HttpExchange } from "./http-exchange.ts";

/**
 * Where captured exchanges are kept: one SQLite file on one machine, objects under `captures/` in either home. Any
 * number of processes may write to one, also to one session. Contract suite: `test/contract/capture-store.ts`.
 */
export interface CaptureStore extends AsyncDisposable {
  /**
   * Keeps an exchange that has ended, already redacted; one whose id is there already is kept once.
   * Resolves once a kill of this process can no longer lose it.
   * @param redactions what was taken out of it.
   * @throws TracemillError `invalid-input` (its session's name), `storage-full`, `storage-failed`.
   */
  append(exchange: HttpExchange, redactions?: RedactionCounts): Promise<void>;
  /** All sessions, those that began first first. */
  sessions(): AsyncIterable<CapturedSession>;
  find(sessionId: string): Promise<CapturedSession | undefined>;
  /** A session's exchanges in the order in which they ended, those of other processes that write to it apart. */
  exchanges(sessionId: string): AsyncIterable<HttpExchange>;
}
