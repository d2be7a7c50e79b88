import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { type ProductionApi, startProductionApi } from "../../../../test/servers/production-api.ts";
import { testToken } from "../../../../test/servers/production-client.ts";
import { objectKeys, recordKeys } from "../keys.ts";
import { readJsonLines } from "../stored-json.ts";
import { collect } from "../streams.ts";
import { latestSnapshot, readManifest, readSnapshotRows, type SnapshotManifest } from "./manifest.ts";
import type { IngestInput } from "./options.ts";
import { type IngestDeps, ingestSnapshot } from "./snapshot.ts";

const task = (id: string, more: object = {}) => ({ id, prompt: `do ${id}`, ...more });
const solution = (id: string, more: object = {}) => ({ id, steps: [{ thought: "hm" }], ...more });
const source = (count: number) => {
  const tasks = Array.from({ length: count }, (_, index) => task(`t${index}`));
  return {
    tasks,
    solutions: Object.fromEntries(tasks.map(({ id }) => [id, [solution(`${id}-a`), solution(`${id}-b`)]])),
  };
};

function bench(api: ProductionApi) {
  const objects = memoryObjectStore();
  const records = memoryRecordStore();
  const clock = fakeClock();
  const ingest = (options: Partial<IngestInput> = {}, deps: Partial<IngestDeps> = {}) =>
    ingestSnapshot(
      { baseUrl: api.url, ...options },
      { objects, records, clock, random: () => 0.5, fetch, token: testToken, ...deps },
    );
  const rows = ({ source: name, snapshotId }: SnapshotManifest) =>
    Array.fromAsync(readSnapshotRows(objects, name, snapshotId));
  const keys = async () => (await Array.fromAsync(objects.list(""))).map(({ key }) => key);
  return { objects, records, clock, ingest, rows, keys };
}

describe("a snapshot", () => {
  test("holds every task with its solutions, in the order of the source, and says what it holds", async () => {
    await using api = await startProductionApi(source(7));
    const { ingest, rows, records, objects, keys } = bench(api);
    const manifest = await ingest({ taskPageSize: 3 });
    const found = await rows(manifest);
    expect(found.map((row) => row.task)).toEqual(api.tasks);
    expect(found.map((row) => row.solutions)).toEqual(Object.values(api.solutions));
    expect(manifest).toMatchObject({
      schemaVersion: 1,
      source: "prod",
      query: { baseUrl: api.url, statuses: ["done"], includeEmpty: false },
      fetched: { first: "2026-01-01T00:00:00.000Z", last: "2026-01-01T00:00:00.000Z" },
      counts: { rows: 7, solutions: 14, duplicates: 0, empty: 0, rejects: 0, requests: 10, retries: 0 },
    });
    expect(await latestSnapshot(records, "prod")).toBe(manifest.snapshotId);
    expect(await readManifest(objects, "prod", manifest.snapshotId)).toEqual(manifest);
    expect(await keys()).toEqual([
      objectKeys.snapshotIndex("prod", manifest.snapshotId, 0),
      objectKeys.snapshotManifest("prod", manifest.snapshotId),
      objectKeys.snapshotPart("prod", manifest.snapshotId, 0),
    ]);
  });

  test("is cut into parts of 500 rows", async () => {
    await using api = await startProductionApi(source(1_100));
    const { ingest, rows } = bench(api);
    const manifest = await ingest();
    expect(manifest.parts.map((part) => part.rows)).toEqual([500, 500, 100]);
    expect((await rows(manifest)).map((row) => row.task.id)).toEqual(source(1_100).tasks.map(({ id }) => id));
  });

  test("fetches no more tasks at once than allowed, and keeps their order all the same", async () => {
    await using api = await startProductionApi(source(40));
    const { ingest, rows } = bench(api);
    const manifest = await ingest({ concurrency: 3 });
    expect((await rows(manifest)).map((row) => row.task.id)).toEqual(source(40).tasks.map(({ id }) => id));
    // Three tasks, and the list.
    expect(api.mostAtOnce).toBeLessThanOrEqual(4);
  });

  test("holds numbers as the source wrote them", async () => {
    const body =
      '{"results":[{"id":"t1","prompt":"p","weight":1.0,"serial":12345678901234567890}],"total":1}';
    const answer: typeof fetch = async (url) =>
      new Response(
        String(url).includes("/solutions") ? '[{"id":9007199254740993,"steps":[],"score":0.10}]' : body,
      );
    await using api = await startProductionApi({ tasks: [] });
    const { ingest, objects, rows } = bench(api);
    const manifest = await ingest({}, { fetch: answer });
    const part = await objects.get(manifest.parts[0]?.key ?? "");
    const { zstdDecompressSync } = await import("node:zlib");
    const text = zstdDecompressSync(await collect(part ?? (async function* () {})())).toString();
    expect(text).toContain('"weight":1.0,"serial":12345678901234567890');
    expect(text).toContain('"score":0.10');
    expect((await rows(manifest))[0]?.solutions[0]?.id).toBe("9007199254740993");
  });

  test("asks for details where the lists give summaries, and keeps a summary that has none", async () => {
    const tasks = [task("t1", { status: "done" }), task("t2", { status: "done" })];
    const solutions = { t1: [solution("s1")], t2: [solution("s2")] };
    const quirks = { summaries: { tasks: true, solutions: true }, missing: ["t2", "s2"] };
    await using api = await startProductionApi({ tasks, solutions, quirks });
    const { ingest, rows } = bench(api);
    const found = await rows(await ingest());
    expect(found[0]).toMatchObject({ task: tasks[0], solutions: [{ id: "s1", steps: [{ thought: "hm" }] }] });
    expect(found[1]).toMatchObject({ task: { id: "t2", status: "done" }, solutions: [{ id: "s2" }] });
    expect(found[1]?.task.prompt).toBeUndefined();
  });

  test("lists one status after the other, each task once", async () => {
    const tasks = [
      task("a", { status: "done" }),
      task("b", { status: "partial" }),
      task("c", { status: "open" }),
    ];
    const solutions = { a: [solution("1")], b: [solution("2")], c: [solution("3")] };
    await using api = await startProductionApi({
      tasks: [...tasks, task("d")],
      solutions: { ...solutions, d: [solution("4")] },
    });
    const { ingest, rows } = bench(api);
    const manifest = await ingest({ statuses: ["partial, done", "done"] });
    expect((await rows(manifest)).map((row) => row.task.id)).toEqual(["b", "d", "a"]);
    expect(manifest.query.statuses).toEqual(["partial", "done"]);
    expect(manifest.counts.duplicates).toBe(1);
  });
});

describe("what does not become a row", () => {
  test("tasks without solutions are counted, and kept when asked for", async () => {
    await using api = await startProductionApi({
      tasks: [task("a"), task("b")],
      solutions: { b: [solution("1")] },
    });
    const { ingest, rows } = bench(api);
    const without = await ingest();
    expect(without.counts).toMatchObject({ rows: 1, empty: 1 });
    const all = await ingest({ includeEmpty: true });
    expect((await rows(all)).map((row) => row.solutions.length)).toEqual([0, 1]);
  });

  test("tasks named twice are taken once and counted", async () => {
    await using api = await startProductionApi({
      tasks: [task("a"), task("b"), task("a")],
      solutions: { a: [solution("1"), solution("1")], b: [solution("2")] },
    });
    const { ingest } = bench(api);
    expect((await ingest()).counts).toMatchObject({ rows: 2, solutions: 2, duplicates: 1 });
  });

  test("what does not fit lies in the rejects with the reason and as it came, and the rest is kept", async () => {
    const bad = { id: "s2", evaluation: { status: "splendid" } };
    await using api = await startProductionApi({
      tasks: [
        7,
        { prompt: "no id" },
        task("a", { tags: 3 }),
        task("b"),
        task("c"),
        { id: "..", prompt: "p" },
      ],
      solutions: { a: [solution("1")], b: [solution("2"), bad], c: [solution("3")] },
    });
    const { ingest, rows, objects } = bench(api);
    const manifest = await ingest();
    expect((await rows(manifest)).map((row) => row.task.id)).toEqual(["b", "c"]);
    expect(manifest.counts).toMatchObject({ rows: 2, solutions: 2, rejects: 5 });
    const rejects = await Array.fromAsync(readJsonLines(objects, manifest.rejectParts[0]?.key ?? ""));
    expect(rejects).toEqual([
      { kind: "task", reason: expect.stringContaining("not an object"), value: 7 },
      { kind: "task", reason: expect.stringContaining("`id`"), value: { prompt: "no id" } },
      { kind: "task", taskId: "a", reason: expect.stringContaining("tags"), value: expect.anything() },
      { kind: "solution", taskId: "b", reason: expect.stringContaining("evaluation.status"), value: bad },
      {
        kind: "task",
        taskId: "..",
        reason: expect.stringContaining("by its path"),
        value: expect.anything(),
      },
    ]);
  });

  test("a task that the API will not give is put aside; when it gives none, the ingest stops", async () => {
    await using api = await startProductionApi(source(6));
    api.quirks.faults = [{ match: /tasks\/t2\/solutions/, kind: "status", times: 99 }];
    const { ingest } = bench(api);
    const manifest = await ingest({ maxRetries: 1 });
    expect(manifest.counts).toMatchObject({ rows: 5, rejects: 1 });
    api.quirks.faults = [{ match: /tasks\/t[2-5]\/solutions/, kind: "status", times: 99 }];
    await expect(ingest({ maxRetries: 1, full: true })).rejects.toMatchObject({ code: "source-unavailable" });
    api.quirks.faults = [];
    expect((await ingest({ maxRetries: 1, full: true })).counts).toMatchObject({ rows: 6, rejects: 0 });
  });
});

test("no more tasks are taken than asked for, stopped in between or not", async () => {
  await using api = await startProductionApi(source(10));
  const { ingest, rows } = bench(api);
  api.quirks.faults = [{ match: /tasks\/t3\/solutions/, kind: "status", status: 401, times: 1 }];
  await expect(ingest({ maxTasks: 5 })).rejects.toMatchObject({ code: "unauthorized" });
  const manifest = await ingest({ maxTasks: 5 });
  expect((await rows(manifest)).map((row) => row.task.id)).toEqual(["t0", "t1", "t2", "t3", "t4"]);
});

test("the token is in no object and no record", async () => {
  await using api = await startProductionApi(source(3));
  const { ingest, objects, records, keys } = bench(api);
  api.quirks.faults = [{ match: /tasks\/t2/, kind: "status", status: 401, body: { error: testToken } }];
  const error = await ingest({ concurrency: 1 }).catch((thrown: unknown) => String(thrown));
  const stored = [error, JSON.stringify(await records.get(recordKeys.cursor("prod")))];
  for (const key of await keys()) {
    const body = await collect((await objects.get(key)) ?? (async function* () {})());
    stored.push(body.toString("latin1"));
  }
  expect(stored.length).toBeGreaterThan(3);
  expect(stored.join("\n")).not.toContain(testToken);
});
