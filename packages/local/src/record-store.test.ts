import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { successor } from "@tracemill/core/ports/record-key.ts";
import { expect, test } from "vitest";
import { gather } from "../../../test/fakes/gather.ts";
import { tempDir } from "../../../test/fakes/temp-dir.ts";
import { openRecordStore } from "./record-store.ts";

const key = { pk: "p", sk: "s" };
const counter = fileURLToPath(new URL("../../../test/fakes/count-records.ts", import.meta.url));

test("records outlive the process that wrote them", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "deep/er/records.sqlite");
  const first = openRecordStore(file);
  await first.put(key, { n: 1 }, "absent");
  first.close();
  first.close();
  const second = openRecordStore(file);
  expect(await second.get(key)).toEqual({ ...key, version: 1, data: { n: 1 } });
  second.close();
});

test("several processes on one new file lose no write and share no version", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "records.sqlite");
  const children = Array.from({ length: 3 }, (_, n) =>
    spawn(process.execPath, [counter, file, "100", String(n)], { stdio: ["ignore", "inherit", "inherit"] }),
  );
  const exits = await Promise.all(children.map((child) => once(child, "exit")));
  expect(exits.map(([code]) => code)).toEqual([0, 0, 0]);
  const store = openRecordStore(file);
  expect(await store.get({ pk: "counter", sk: "n" })).toMatchObject({ version: 300, data: 300 });
  const claims = await gather(store.query("claims"));
  expect(claims).toHaveLength(100);
  expect(claims.every(({ version }) => version === 1)).toBe(true);
  store.close();
});

test("a file of a newer version is refused, naming the file and the remedy", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "records.sqlite");
  openRecordStore(file).close();
  const database = new DatabaseSync(file);
  database.exec("PRAGMA user_version = 99");
  database.close();
  expect(() => openRecordStore(file)).toThrow(
    expect.objectContaining({
      code: "store-newer",
      message: expect.stringMatching(/records\.sqlite.*schema 99.*upgrade/),
    }),
  );
});

test("a file that is no database is refused and left as it is", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "records.sqlite");
  writeFileSync(file, "plain words, long enough to be read as a header by anybody who tries".repeat(10));
  expect(() => openRecordStore(file)).toThrow(
    expect.objectContaining({ code: "storage-corrupt", message: expect.stringContaining(file) }),
  );
});

test("another program's database is refused and left as it is", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "records.sqlite");
  const database = new DatabaseSync(file);
  database.exec("CREATE TABLE theirs (x)");
  expect(() => openRecordStore(file)).toThrow(
    expect.objectContaining({ code: "storage-corrupt", message: expect.stringContaining("another program") }),
  );
  expect(database.prepare("SELECT name FROM sqlite_schema").all()).toHaveLength(1);
  expect(database.prepare("PRAGMA journal_mode").get()?.journal_mode).toBe("delete");
  database.close();
});

test("a folder in the file's place is an error that names it", async () => {
  await using dir = await tempDir();
  expect(() => openRecordStore(dir.path)).toThrow(
    expect.objectContaining({ code: "storage-failed", message: expect.stringContaining(dir.path) }),
  );
});

test("a closed store says so", async () => {
  await using dir = await tempDir();
  const store = openRecordStore(join(dir.path, "records.sqlite"));
  store.close();
  await expect(store.get(key)).rejects.toMatchObject({ code: "storage-failed" });
});

test.each([
  ["a", "b"],
  ["a\u{10ffff}", "b"],
  ["\ud7ff", "\ue000"],
  ["\u{10ffff}", undefined],
  ["", undefined],
])("the least text above all that starts with %j is %j", (prefix, next) => {
  expect(successor(prefix)).toBe(next);
});
