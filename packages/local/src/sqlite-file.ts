import { DatabaseSync } from "node:sqlite";
import { TracemillError } from "@tracemill/core/errors.ts";
import { diskError } from "./disk.ts";

export interface SqliteSchema {
  /** Marks the file as ours, in SQLite's own header. */
  applicationId: number;
  /** The n-th step brings a file from schema version n to n + 1. Never change a step that was released. */
  migrations: readonly string[];
  /** Bytes, of a file that is new; SQLite's own choice is 4,096. */
  pageSize?: number;
}

/** How long a call waits for another process's write before it gives up. */
const busyTimeoutMs = 10_000;

/** Primary result codes, https://sqlite.org/rescode.html */
const sqliteCode = { busy: 5, locked: 6, readonly: 8, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 };

/**
 * Opens the file, making it or bringing its schema up to date. Any number of processes may do so at once.
 * @throws TracemillError `store-newer`, `storage-corrupt`, `storage-failed`, `storage-full`.
 */
export function openSqlite(path: string, schema: SqliteSchema): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    assertOurs(database, schema, path);
    if (schema.pageSize !== undefined) database.exec(`PRAGMA page_size = ${schema.pageSize}`);
    useWal(database);
    database.exec("PRAGMA synchronous = NORMAL");
    migrate(database, schema, path);
    return database;
  } catch (error) {
    database?.close();
    throw sqliteError(error, path);
  }
}

/** Looks before anything is written, so that another program's file stays as it is. */
function assertOurs(database: DatabaseSync, { applicationId, migrations }: SqliteSchema, path: string): void {
  const version = pragma(database, "user_version");
  const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  const id = pragma(database, "application_id");
  if (id !== applicationId && !(id === 0 && isEmpty && version === 0)) {
    throw new TracemillError(
      "storage-corrupt",
      `${path}: a SQLite file of another program; move it away, or choose another home`,
    );
  }
  assertKnown(version, migrations.length, path);
}

function assertKnown(version: number, known: number, path: string): void {
  if (version <= known) return;
  throw new TracemillError(
    "store-newer",
    `${path}: written by a newer version of tracemill (schema ${version}, this one knows ${known}); upgrade tracemill`,
  );
}

/** SQLite answers "busy" at once when two processes switch the mode together, whatever the timeout. */
function useWal(database: DatabaseSync): void {
  const giveUpAt = Date.now() + busyTimeoutMs;
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (primaryCode(error) !== sqliteCode.busy || Date.now() > giveUpAt) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function migrate(database: DatabaseSync, { applicationId, migrations }: SqliteSchema, path: string): void {
  if (pragma(database, "user_version") === migrations.length) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    // Read again: another process may have been quicker.
    const from = pragma(database, "user_version");
    assertKnown(from, migrations.length, path);
    for (const step of migrations.slice(from)) database.exec(step);
    database.exec(
      `PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}; COMMIT`,
    );
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function pragma(database: DatabaseSync, name: "user_version" | "application_id"): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

function primaryCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

/** Names the file and the remedy of a failed database call. */
export function sqliteError(error: unknown, path: string): TracemillError {
  const cause = error;
  switch (primaryCode(error)) {
    case sqliteCode.full:
      return new TracemillError(
        "storage-full",
        `${path}: the disk is full; free some space, then run the same command again`,
        { cause },
      );
    case sqliteCode.notADatabase:
    case sqliteCode.corrupt:
      return new TracemillError(
        "storage-corrupt",
        `${path}: not a SQLite file, or a damaged one; restore it from a backup, or move it away`,
        { cause },
      );
    case sqliteCode.busy:
    case sqliteCode.locked:
      return new TracemillError(
        "storage-failed",
        `${path}: another process held the file too long; run the same command again`,
        { cause, retryable: true },
      );
    case sqliteCode.readonly:
    case sqliteCode.cantOpen:
      return new TracemillError(
        "storage-failed",
        `${path}: cannot be opened for writing; check its folder and permissions`,
        { cause },
      );
    default:
      return diskError(error, path);
  }
}

/** Runs calls of SQLite, whose errors then name the file and say what to do. */
export function sqliteCalls(path: string): <T>(work: () => T) => T {
  return (work) => {
    try {
      return work();
    } catch (error) {
      throw sqliteError(error, path);
    }
  };
}
