import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { cleanedSessionText } from "@tracemill/core/capture/cleaned-session.ts";
import { expect, test } from "vitest";
import { capturedExchange } from "../../../test/fakes/captured.ts";
import { gather } from "../../../test/fakes/gather.ts";
import { tempDir } from "../../../test/fakes/temp-dir.ts";
import { openCaptureStore } from "./capture-store.ts";
import { openRecordStore } from "./record-store.ts";
import { systemClock } from "./system-clock.ts";

const clock = systemClock;
const streamed = {
  response: {
    status: 200,
    headers: { "x-request-id": "req_1" },
    body: { _events: [{ type: "a" }, "[DONE]"] },
  },
};

test("`traces` has the columns and the JSON that one-shot-bench wrote", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "captures.sqlite");
  await using store = openCaptureStore(file, { clock });
  await store.append(capturedExchange("run-1", "x1", 0, streamed));
  using database = new DatabaseSync(file, { readOnly: true });
  expect(database.prepare("SELECT * FROM traces").all()).toEqual([
    {
      id: "x1",
      ts_ms: Date.parse("2026-01-01T12:00:01.000Z"),
      method: "POST",
      url: "https://api.openai.com/v1/chat/completions",
      request_json: '{"model":"gpt-test","messages":[{"role":"user","content":"question x1"}]}',
      response_json: JSON.stringify({ _raw: 'event: a\ndata: {"type":"a"}\n\ndata: [DONE]\n\n' }),
      meta_json: '{"status_code":200,"headers":{"x-request-id":"req_1"},"session_id":"run-1"}',
    },
  ]);
});

test("`cleaned_sessions` is up to date as soon as an exchange has ended, and says what `proxy show --json` says", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "captures.sqlite");
  await using store = openCaptureStore(file, { clock });
  using database = new DatabaseSync(file, { readOnly: true });
  const read = () => database.prepare("SELECT * FROM cleaned_sessions ORDER BY created_at").all();
  await store.append(capturedExchange("run-1", "x1", 0, streamed));
  await store.append(capturedExchange("run-2", "y1", 5));
  await store.append(capturedExchange("run-1", "x2", 9));
  const [first, second] = read();
  expect(first).toMatchObject({ session_id: "run-1", created_at: "2026-01-01T12:00:00.000Z" });
  expect(second).toMatchObject({ session_id: "run-2" });
  const session = await store.find("run-1");
  if (session === undefined) throw new Error("no session");
  const cleaned = (await gather(cleanedSessionText(session, store.exchanges("run-1")))).join("");
  expect(JSON.parse(String(first?.formatted_json))).toEqual(JSON.parse(cleaned));
  expect(JSON.parse(cleaned)).toEqual({
    session_id: "run-1",
    created_at: "2026-01-01T12:00:00.000Z",
    traces: [
      {
        request: capturedExchange("run-1", "x1").request.body,
        response: { _raw: expect.stringContaining("[DONE]") },
        ts_ms: Date.parse("2026-01-01T12:00:01.000Z"),
      },
      {
        request: capturedExchange("run-1", "x2").request.body,
        response: capturedExchange("run-1", "x2").response?.body,
        ts_ms: Date.parse("2026-01-01T12:00:10.000Z"),
      },
    ],
  });
});

test("one session's document is found by its key, not by reading the others", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "captures.sqlite");
  await using _store = openCaptureStore(file, { clock });
  using database = new DatabaseSync(file, { readOnly: true });
  const plan = database
    .prepare("EXPLAIN QUERY PLAN SELECT formatted_json FROM cleaned_sessions WHERE session_id = 'x'")
    .all()
    .map(({ detail }) => String(detail));
  expect(plan.filter((step) => /^SCAN (sessions|exchanges|traces)/.test(step))).toEqual([]);
  expect(plan.join("\n")).toContain("exchanges_of_session");
});

const python = hasPython();
test.skipIf(!python)(
  `Python's own SQLite reads the tables${python ? "" : " (skipped: no python3 here)"}`,
  async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "captures.sqlite");
    await using store = openCaptureStore(file, { clock });
    await store.append(capturedExchange("run-1", "x1", 0, streamed));
    await store.append(capturedExchange("run-1", "x2", 2));
    const script = `
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
(document,) = db.execute("SELECT formatted_json FROM cleaned_sessions WHERE session_id = ?", ("run-1",)).fetchone()
metas = [json.loads(meta)["session_id"] for (meta,) in db.execute("SELECT meta_json FROM traces ORDER BY ts_ms")]
print(json.dumps([len(json.loads(document)["traces"]), metas]))`;
    const printed = execFileSync("python3", ["-c", script, file], { encoding: "utf8" });
    expect(JSON.parse(printed)).toEqual([2, ["run-1", "run-1"]]);
  },
);

function hasPython(): boolean {
  try {
    execFileSync("python3", ["-c", "import sqlite3; sqlite3.connect(':memory:').execute('select json(1)')"]);
    return true;
  } catch {
    return false;
  }
}

test("what was appended is there after kill -9, to the last exchange", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "captures.sqlite");
  const script = join(dir.path, "writer.ts");
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  await writeFile(
    script,
    `import { openCaptureStore } from ${url("./capture-store.ts")};
     import { systemClock } from ${url("./system-clock.ts")};
     import { capturedExchange } from ${url("../../../test/fakes/captured.ts")};
     const store = openCaptureStore(${JSON.stringify(file)}, { clock: systemClock });
     for (let n = 0; ; n += 1) {
       await Promise.all(["a", "b", "c"].map((s) => store.append(capturedExchange(s, s + n))));
       process.stdout.write(n + "\\n");
     }`,
  );
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const output = text(child.stdout);
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  await new Promise((resolve) => setTimeout(resolve, 200));
  child.kill("SIGKILL");
  await exited;
  const last = Number((await output).trim().split("\n").at(-1));
  await using store = openCaptureStore(file, { clock });
  for (const session of ["a", "b", "c"]) {
    const ids = (await gather(store.exchanges(session))).map(({ id }) => id);
    expect(ids.slice(0, last + 1)).toEqual(Array.from({ length: last + 1 }, (_, n) => `${session}${n}`));
    expect((await store.find(session))?.exchanges).toBe(ids.length);
  }
});

test("a writer waits for another process's write without stopping its own, and then goes on", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "captures.sqlite");
  await using store = openCaptureStore(file, { clock });
  using other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  let isKept = false;
  const kept = store.append(capturedExchange("one", "a")).then(() => {
    isKept = true;
  });
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(isKept).toBe(false);
  other.exec("COMMIT");
  await kept;
  expect((await store.find("one"))?.exchanges).toBe(1);
});

test("after a minute of waiting for another process, what waits is given up, with the file's name", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "captures.sqlite");
  let now = 0;
  const sleep = async (): Promise<void> => {
    now += 20_000;
  };
  await using store = openCaptureStore(file, { clock: { now: () => now, sleep } });
  using other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  await expect(store.append(capturedExchange("one", "a"))).rejects.toMatchObject({
    code: "storage-failed",
    message: expect.stringContaining(file),
  });
  expect(now).toBeGreaterThan(60_000);
  other.exec("ROLLBACK");
});

test("conversations are for their user alone", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "captures.sqlite");
  await using store = openCaptureStore(file, { clock });
  await store.append(capturedExchange("one", "a"));
  const modes = await Promise.all([file, `${file}-wal`].map(async (path) => (await stat(path)).mode & 0o777));
  expect(modes).toEqual([0o600, 0o600]);
});

test("another program's file is left as it is", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "records.sqlite");
  openRecordStore(file).close();
  expect(() => openCaptureStore(file, { clock })).toThrow("a SQLite file of another program");
});
