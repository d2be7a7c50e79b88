import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSnapshotRows, SnapshotManifest } from "@tracemill/core/ingest/manifest.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { startProductionApi } from "../../../../test/servers/production-api.ts";
import { readConfig } from "../config.ts";
import type { CliContext, LocalHome } from "../context.ts";
import { createOutput } from "../output.ts";
import { ingestCommand } from "./ingest.ts";

const source = {
  tasks: [
    { id: "a", prompt: "p" },
    { id: "b", prompt: "p" },
    { id: "c", tags: 3 },
  ],
  solutions: { a: [{ id: "1", steps: [] }], c: [{ id: "2", steps: [] }] },
};

/** Runs the command as the program would, on stores in memory. */
async function ingest(args: string[], env: NodeJS.ProcessEnv) {
  const written = { out: "", err: "" };
  const objects = memoryObjectStore();
  const records = memoryRecordStore();
  const home = { objects, records, close: async () => {} } as Partial<LocalHome> as LocalHome;
  const out = createOutput({
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
  });
  out.json = args.includes("--json");
  const context: CliContext = {
    config: readConfig(env),
    home: "",
    openHome: async () => home,
    openCloud: () => Promise.reject(new Error("no cloud here")),
    clock: fakeClock(),
    random: () => 0.5,
    signal: new AbortController().signal,
    draining: new AbortController().signal,
    out,
    exitCode: 0,
  };
  const command = ingestCommand(context)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} });
  await command.parseAsync(args, { from: "user" });
  return { written, objects };
}

const envFor = (url: string) => ({ TRACEMILL_PROD_BASE_URL: url, TRACEMILL_PROD_API_TOKEN: "secret-token" });

describe("tracemill ingest", () => {
  test("makes a snapshot and says what is in it and what comes next", async () => {
    await using api = await startProductionApi(source);
    const { written } = await ingest(["--source", "mine"], envFor(api.url));
    expect(written.out).toMatch(
      /^snapshot snap_\w+ of mine: 1 tasks, 1 solutions · 1 without solutions · 1 put aside/,
    );
    expect(written.out).toContain("raw/mine/");
    expect(written.out).toContain("tracemill prepare mine");
  });

  test("--json prints the manifest and nothing else", async () => {
    await using api = await startProductionApi(source);
    const { written, objects } = await ingest(["--json", "--include-empty"], envFor(api.url));
    const manifest = SnapshotManifest.parse(JSON.parse(written.out));
    const rows = await Array.fromAsync(readSnapshotRows(objects, "prod", manifest.snapshotId));
    expect(rows.map((row) => row.task.id)).toEqual(["a", "b"]);
  });

  test("--output writes one file of rows, what was put aside beside it, and no snapshot", async () => {
    await using api = await startProductionApi(source);
    await using dir = await tempDir();
    const file = join(dir.path, "new", "tasks.jsonl");
    const { written, objects } = await ingest(["--output", file], envFor(api.url));
    const rows = (await readFile(file, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows).toEqual([
      { task: source.tasks[0], solutions: source.solutions.a, fetched_at: "2026-01-01T00:00:00.000Z" },
    ]);
    expect((await readdir(join(dir.path, "new"))).sort()).toEqual(["tasks.jsonl", "tasks.rejects.jsonl"]);
    expect(written.out).toContain("tasks.rejects.jsonl");
    expect(await Array.fromAsync(objects.list(""))).toEqual([]);
  });

  test("--output leaves the file of before as it was when the ingest fails", async () => {
    await using api = await startProductionApi(source);
    api.quirks.faults = [{ match: /tasks\/b/, kind: "status", status: 401 }];
    await using dir = await tempDir();
    const file = join(dir.path, "tasks.jsonl");
    await writeFile(file, "before\n");
    await expect(ingest(["--output", file], envFor(api.url))).rejects.toMatchObject({ code: "unauthorized" });
    expect(await readFile(file, "utf8")).toBe("before\n");
    expect(await readdir(dir.path)).toEqual(["tasks.jsonl"]);
  });

  test("statuses may be repeated and joined by commas; the older variables work", async () => {
    await using api = await startProductionApi(source);
    const env = { AUTOPPIA_PROD_BASE_URL: api.url, AUTOPPIA_PROD_API_TOKEN: "secret-token" };
    await ingest(["--task-status", "done,partial", "--task-status", "failed", "--search", "x"], env);
    const lists = api.requests
      .map(({ url }) => new URL(url, api.url))
      .filter((url) => url.pathname.endsWith("/tasks"));
    expect(lists.map((url) => url.searchParams.get("status"))).toEqual(["done", "partial", "failed"]);
    expect(lists[0]?.searchParams.get("search")).toBe("x");
  });

  test.each([
    ["no base URL", [], { TRACEMILL_PROD_API_TOKEN: "x" }, /TRACEMILL_PROD_BASE_URL/],
    ["no token", [], { TRACEMILL_PROD_BASE_URL: "http://127.0.0.1:1" }, /TRACEMILL_PROD_API_TOKEN/],
    [
      "a named variable that is not set",
      ["--token-env", "MINE"],
      { TRACEMILL_PROD_BASE_URL: "http://127.0.0.1:1" },
      /set MINE/,
    ],
    ["a bad source name", ["--source", "../x"], envFor("http://127.0.0.1:1"), /`source`/],
    ["a bad number", ["--max-tasks", "many"], {}, /whole number/],
    ["a bad duration", ["--timeout", "soon"], {}, /--timeout.*duration/],
  ])("%s is a clear error", async (_name, args, env, message) => {
    await expect(ingest(args, env)).rejects.toThrow(message);
  });
});
