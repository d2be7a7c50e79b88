import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { TracemillError } from "@tracemill/core/errors.ts";
import { assertRecordKey, successor } from "@tracemill/core/ports/record-key.ts";
import type {
  QueryOptions,
  RecordKey,
  RecordStore,
  StoredRecord,
} from "@tracemill/core/ports/record-store.ts";
import { onDisk } from "./disk.ts";
import { recordStoreSchema } from "./record-store-schema.ts";
import { openSqlite, sqliteCalls } from "./sqlite-file.ts";

/** Records read at a time: no statement stays open while the caller works, so writers never wait for readers. */
const pageSize = 256;

export type LocalRecordStore = RecordStore & { close(): void };

/**
 * Records in one SQLite file (WAL), for any number of processes on one machine. Calls block for some tens of
 * microseconds each, up to ten seconds when another process is writing.
 * @throws TracemillError `store-newer`, `storage-corrupt` (not a record store), `storage-full`,
 * `storage-failed` (retryable when another process held the file too long).
 */
export function openRecordStore(file: string): LocalRecordStore {
  const path = resolve(file);
  onDisk(path, () => mkdirSync(dirname(path), { recursive: true }));
  const database = openSqlite(path, recordStoreSchema);
  const statements = prepareStatements(database);
  const run = sqliteCalls(path);
  return {
    async get(key) {
      assertRecordKey(key);
      const row = run(() => statements.get.get(key.pk, key.sk));
      return row === undefined ? undefined : recordOf(key.pk, row, path);
    },
    async put(key, data, condition) {
      assertRecordKey(key);
      const text = jsonOf(key, data);
      if (condition === "absent") return run(() => versionOf(statements.insert.all(key.pk, key.sk, text)));
      if (condition === "any") return run(() => versionOf(statements.upsert.all(key.pk, key.sk, text)));
      return run(() => versionOf(statements.update.all(text, key.pk, key.sk, condition.version)));
    },
    async delete(key, condition) {
      assertRecordKey(key);
      if (condition === "absent") return run(() => statements.get.get(key.pk, key.sk)) === undefined;
      if (condition === "any") {
        run(() => statements.remove.run(key.pk, key.sk));
        return true;
      }
      return run(() => statements.removeVersion.run(key.pk, key.sk, condition.version)).changes === 1;
    },
    query: (pk, options) =>
      pages(pk, options ?? {}, (sql, values) => run(() => sql(statements).all(...values)), path),
    close() {
      if (database.isOpen) run(() => database.close());
    },
  };
}

interface Statements {
  get: StatementSync;
  insert: StatementSync;
  upsert: StatementSync;
  update: StatementSync;
  remove: StatementSync;
  removeVersion: StatementSync;
  ascending: StatementSync;
  descending: StatementSync;
}

function prepareStatements(database: DatabaseSync): Statements {
  const page =
    "SELECT sk, version, data FROM records WHERE pk = ? AND sk >= ? AND sk > ? AND sk < ? ORDER BY sk";
  const insert = "INSERT INTO records (pk, sk, version, data) VALUES (?, ?, 1, ?) ON CONFLICT DO";
  return {
    get: database.prepare("SELECT sk, version, data FROM records WHERE pk = ? AND sk = ?"),
    insert: database.prepare(`${insert} NOTHING RETURNING version`),
    upsert: database.prepare(
      `${insert} UPDATE SET data = excluded.data, version = version + 1 RETURNING version`,
    ),
    update: database.prepare(
      "UPDATE records SET data = ?, version = version + 1 WHERE pk = ? AND sk = ? AND version = ? RETURNING version",
    ),
    remove: database.prepare("DELETE FROM records WHERE pk = ? AND sk = ?"),
    removeVersion: database.prepare("DELETE FROM records WHERE pk = ? AND sk = ? AND version = ?"),
    ascending: database.prepare(`${page} LIMIT ?`),
    descending: database.prepare(`${page} DESC LIMIT ?`),
  };
}

type Row = Record<string, unknown>;
type ReadPage = (statement: (from: Statements) => StatementSync, values: SQLInputValue[]) => Row[];

/** SQLite orders every BLOB after every TEXT: an upper bound that no sort key reaches. */
const beyondAllText = new Uint8Array(0);

async function* pages(
  pk: string,
  options: QueryOptions,
  read: ReadPage,
  path: string,
): AsyncGenerator<StoredRecord> {
  const { prefix = "", reverse = false } = options;
  let above = options.after ?? "";
  let below: SQLInputValue = successor(prefix) ?? beyondAllText;
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  while (left > 0) {
    const wanted = Math.min(left, pageSize);
    const rows = read(
      (from) => (reverse ? from.descending : from.ascending),
      [pk, prefix, above, below, wanted],
    );
    for (const row of rows) yield recordOf(pk, row, path);
    const last = rows.at(-1);
    if (last === undefined || rows.length < wanted) return;
    left -= rows.length;
    if (reverse) below = String(last.sk);
    else above = String(last.sk);
  }
}

function recordOf(pk: string, row: Row, path: string): StoredRecord {
  const { sk, version, data } = row as { sk: string; version: number; data: string };
  try {
    return { pk, sk, version, data: JSON.parse(data) };
  } catch (error) {
    throw new TracemillError(
      "storage-corrupt",
      `${path}: record ${pk}/${sk} is not JSON; restore the file from a backup`,
      { cause: error },
    );
  }
}

/**
 * The version that a `RETURNING version` gave. Always by `all`: `get` stops after the first row, and then
 * SQLite commits while the statement is reset, where a failure (a full disk) goes unheard.
 */
function versionOf([row]: Row[]): number | undefined {
  return row === undefined ? undefined : Number(row.version);
}

function jsonOf(key: RecordKey, data: unknown): string {
  const text: string | undefined = JSON.stringify(data);
  if (text !== undefined) return text;
  throw new TracemillError("invalid-input", `record ${key.pk}/${key.sk}: its data has no JSON form`);
}
