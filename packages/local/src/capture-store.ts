import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { CaptureStore } from "@tracemill/core/capture/capture-store.ts";
import { CapturedSession, sessionOfExchange } from "@tracemill/core/capture/captured-session.ts";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { SessionName } from "@tracemill/core/capture/session-token.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { RedactionCounts } from "@tracemill/core/redact/redactor.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import { exchangeOfRow, rowOfExchange } from "./capture-store-rows.ts";
import { captureStoreSchema } from "./capture-store-schema.ts";
import { type Addition, busyTimeoutMs, CaptureWriter } from "./capture-store-writer.ts";
import { onDisk } from "./disk.ts";
import { openSqlite, sqliteCalls } from "./sqlite-file.ts";

/** Exchanges read at a time: some megabytes. No statement stays open while the caller works. */
const pageSize = 32;

/**
 * Captured exchanges in one SQLite file (WAL), in tables that are read as one-shot-bench's are. An exchange is
 * committed at the end of the turn of the event loop in which it came: from then on it outlives a kill of the process.
 * @throws TracemillError `store-newer`, `storage-corrupt` (not a capture store), `storage-full`, `storage-failed`.
 */
export function openCaptureStore(file: string, { clock }: { clock: Clock }): CaptureStore {
  const path = resolve(file);
  onDisk(path, () => makeOwnFile(path));
  const database = openSqlite(path, captureStoreSchema);
  database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  const writer = new CaptureWriter(database, path, clock);
  const statements = prepareReads(database);
  const run = sqliteCalls(path);
  return {
    async append(exchange, redactions) {
      await writer.add(additionOf(exchange, redactions));
    },
    async *sessions() {
      await writer.settled();
      for (const row of run(() => statements.sessions.all())) yield sessionOfRow(row, path);
    },
    async find(sessionId) {
      await writer.settled();
      const row = run(() => statements.session.get(sessionId));
      return row === undefined ? undefined : sessionOfRow(row, path);
    },
    async *exchanges(sessionId) {
      await writer.settled();
      for (let after = 0; ; ) {
        const rows = run(() => statements.page.all(sessionId, after, pageSize));
        for (const row of rows) yield exchangeOfRow(row, path);
        const last = rows.at(-1);
        if (last === undefined || rows.length < pageSize) return;
        after = Number(last.seq);
      }
    },
    async [Symbol.asyncDispose]() {
      await writer.settled();
      if (database.isOpen) run(() => database.close());
    },
  };
}

/** Conversations are for this user alone; what SQLite lays beside the file has its mode. */
function makeOwnFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, "a", 0o600));
}

function additionOf(exchange: HttpExchange, redactions?: RedactionCounts): Addition {
  parseAs(SessionName, exchange.sessionId, `session ${JSON.stringify(exchange.sessionId)}`);
  return { session: sessionOfExchange(exchange, redactions), row: rowOfExchange(exchange) };
}

function prepareReads(database: DatabaseSync): Record<"session" | "sessions" | "page", StatementSync> {
  return {
    session: database.prepare("SELECT session_json FROM sessions WHERE session_id = ?"),
    sessions: database.prepare("SELECT session_json FROM sessions ORDER BY started_at, session_id"),
    page: database.prepare(
      `SELECT seq, trace_id, detail_json, request_json, response_json
       FROM exchanges JOIN traces ON traces.id = exchanges.trace_id
       WHERE session_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
    ),
  };
}

function sessionOfRow({ session_json }: Record<string, unknown>, path: string): CapturedSession {
  return parseAs(CapturedSession, JSON.parse(String(session_json)), `${path}: a session`, "storage-corrupt");
}
