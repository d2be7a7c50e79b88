import type { SqliteSchema } from "./sqlite-file.ts";

/**
 * `traces` and `cleaned_sessions` are what one-shot-bench wrote, names, columns and JSON alike, so that what reads its
 * files reads ours; the rest is our own. `cleaned_sessions` is made when it is read, of one session alone when one is
 * asked for: a session of n exchanges then costs n writes, where a document kept beside them would be written n times.
 * The subquery sets the order: SQLite knows `ORDER BY` inside of an aggregate from 3.44 on only.
 */
export const captureStoreSchema: SqliteSchema = {
  /** "TMcp". */
  applicationId: 0x54_4d_63_70,
  /** Rows are some 60 KB: with twice SQLite's own size, a row of 290 µs takes 270. */
  pageSize: 8_192,
  migrations: [
    `CREATE TABLE traces (
       id TEXT PRIMARY KEY,
       ts_ms INTEGER,
       method TEXT,
       url TEXT,
       request_json TEXT,
       response_json TEXT,
       meta_json TEXT
     );
     CREATE TABLE exchanges (
       seq INTEGER PRIMARY KEY,
       trace_id TEXT NOT NULL UNIQUE,
       session_id TEXT NOT NULL,
       detail_json TEXT NOT NULL
     );
     CREATE INDEX exchanges_of_session ON exchanges (session_id, seq);
     CREATE TABLE sessions (
       session_id TEXT PRIMARY KEY,
       started_at TEXT NOT NULL,
       session_json TEXT NOT NULL
     ) WITHOUT ROWID;
     CREATE VIEW cleaned_sessions AS
       SELECT
         session_id,
         started_at AS created_at,
         json_object(
           'session_id', session_id,
           'created_at', started_at,
           'traces', (
             SELECT json_group_array(
               json_object('request', json(request_json), 'response', json(response_json), 'ts_ms', ts_ms)
             )
             FROM (
               SELECT request_json, response_json, ts_ms
               FROM exchanges JOIN traces ON traces.id = exchanges.trace_id
               WHERE exchanges.session_id = sessions.session_id
               ORDER BY exchanges.seq
             )
           )
         ) AS formatted_json
       FROM sessions;`,
  ],
};
