import type { DatabaseSync, StatementSync } from "node:sqlite";
import { CapturedSession, joinSessions } from "@tracemill/core/capture/captured-session.ts";
import { isTracemillError } from "@tracemill/core/errors.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ExchangeRow } from "./capture-store-rows.ts";
import { sqliteError } from "./sqlite-file.ts";

/** A writer that waits for another process blocks this whole process, its streams too: it waits this long at a time. */
export const busyTimeoutMs = 20;
const busyPauseMs = 50;
/** When what waits to be written is given up. */
const busyLimitMs = 60_000;

export interface Addition {
  /** The session that the exchange makes by itself. */
  session: CapturedSession;
  row: ExchangeRow;
}

interface Waiting extends Addition {
  kept(): void;
  lost(error: unknown): void;
}

/** Writes all that arrives in one turn of the event loop as one transaction, at the turn's end. */
export class CaptureWriter {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #statements: WriteStatements;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;

  constructor(database: DatabaseSync, path: string, clock: Clock) {
    this.#database = database;
    this.#path = path;
    this.#clock = clock;
    this.#statements = prepareWrites(database);
  }

  add(addition: Addition): Promise<void> {
    this.#writing ??= this.#write();
    return new Promise((kept, lost) => this.#waiting.push({ ...addition, kept, lost }));
  }

  /** Resolves when nothing waits to be written. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      const error = await this.#commitPatiently(batch);
      for (const { kept, lost } of batch) error === undefined ? kept() : lost(error);
    }
    this.#writing = undefined;
  }

  /** @returns why it was given up. */
  async #commitPatiently(batch: readonly Waiting[]): Promise<unknown> {
    const giveUpAt = this.#clock.now() + busyLimitMs;
    for (;;) {
      const error = this.#commit(batch);
      const isBusy = isTracemillError(error) && error.retryable;
      if (!isBusy || this.#clock.now() > giveUpAt) return error;
      await this.#clock.sleep(busyPauseMs);
    }
  }

  #commit(batch: readonly Waiting[]): unknown {
    try {
      commit(batch, this.#database, this.#statements);
      return undefined;
    } catch (error) {
      return sqliteError(error, this.#path);
    }
  }
}

interface WriteStatements {
  trace: StatementSync;
  exchange: StatementSync;
  session: StatementSync;
  keepSession: StatementSync;
}

function prepareWrites(database: DatabaseSync): WriteStatements {
  return {
    trace: database.prepare(
      `INSERT OR IGNORE INTO traces (id, ts_ms, method, url, request_json, response_json, meta_json)
       VALUES (:id, :ts_ms, :method, :url, :request_json, :response_json, :meta_json)`,
    ),
    exchange: database.prepare("INSERT INTO exchanges (trace_id, session_id, detail_json) VALUES (?, ?, ?)"),
    session: database.prepare("SELECT session_json FROM sessions WHERE session_id = ?"),
    keepSession: database.prepare(
      `INSERT INTO sessions (session_id, started_at, session_json) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET started_at = excluded.started_at, session_json = excluded.session_json`,
    ),
  };
}

function commit(batch: readonly Addition[], database: DatabaseSync, statements: WriteStatements): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    const sessions = new Map<string, CapturedSession>();
    for (const { session, row } of batch) {
      if (statements.trace.run(row.trace).changes === 0) continue;
      statements.exchange.run(row.trace.id, session.sessionId, row.detail_json);
      sessions.set(session.sessionId, joinSessions(sessions.get(session.sessionId), session));
    }
    for (const session of sessions.values()) keepSession(session, statements);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** Within the transaction, so that what other processes have added counts. */
function keepSession(added: CapturedSession, { session, keepSession: keep }: WriteStatements): void {
  const row = session.get(added.sessionId);
  const before = row === undefined ? undefined : CapturedSession.parse(JSON.parse(String(row.session_json)));
  const now = joinSessions(before, added);
  keep.run(now.sessionId, now.startedAt, JSON.stringify(now));
}
