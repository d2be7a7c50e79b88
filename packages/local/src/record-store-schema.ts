import type { SqliteSchema } from "./sqlite-file.ts";

export const recordStoreSchema: SqliteSchema = {
  /** "TMil". */
  applicationId: 0x54_4d_69_6c,
  migrations: [
    `CREATE TABLE records (
       pk TEXT NOT NULL,
       sk TEXT NOT NULL,
       version INTEGER NOT NULL,
       data TEXT NOT NULL,
       PRIMARY KEY (pk, sk)
     ) WITHOUT ROWID`,
  ],
};
