import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import { createRun } from "@tracemill/core/run/runs.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import type { TrialRecord } from "@tracemill/core/run/trial.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { respond } from "./router.ts";

const secret = "sk-very-secret";

async function world() {
  const deps = { objects: memoryObjectStore(), records: memoryRecordStore() };
  const clock = fakeClock();
  const start = async (spec: Record<string, unknown> = {}) => {
    const parsed = parseRunSpec({ name: "t", tasks: ["."], agents: [{ name: "oracle" }], ...spec }, "spec");
    clock.advance(1);
    return (await createRun(parsed, { ...deps, clock })).runId;
  };
  const get = async (path: string, query?: Record<string, string>, method = "GET") => {
    const answer = await respond(
      { rawPath: path, queryStringParameters: query, requestContext: { http: { method } } },
      deps,
    );
    return { ...answer, json: answer.body === "" ? undefined : JSON.parse(answer.body) };
  };
  return { deps, start, get };
}

const trialRow = (trialId: string): TrialRecord => ({
  schemaVersion: 1,
  trialId,
  attempts: [],
  status: "waiting",
});

describe("runs", () => {
  test("are listed newest first, page by page", async () => {
    const { start, get } = await world();
    const ids = [await start(), await start(), await start()].toReversed();
    const first = await get("/runs", { limit: "2" });
    expect(first.json.runs.map((run: { runId: string }) => run.runId)).toEqual(ids.slice(0, 2));
    const second = await get("/runs", { limit: "2", cursor: first.json.next });
    expect(second.json.runs.map((run: { runId: string }) => run.runId)).toEqual(ids.slice(2));
    expect(second.json).not.toHaveProperty("next");
  });

  test("come with their spec, but for what is secret in it", async () => {
    const { start, get } = await world();
    const runId = await start({
      env: { API: secret },
      models: { m: { env: { HF_TOKEN: secret } } },
      agents: [{ name: "oracle", options: { apiKey: secret, turns: 3 } }],
      source: { kind: "prod", baseUrl: `https://api.example.com/v1?key=${secret}` },
    });
    const { statusCode, json, body, headers } = await get(`/runs/${runId}`);
    expect(statusCode).toBe(200);
    expect(json).toMatchObject({
      run: { runId, status: "running" },
      spec: { agents: [{ options: { turns: 3 } }], source: { baseUrl: "https://api.example.com/v1" } },
    });
    expect(body).not.toContain(secret);
    expect(headers["cache-control"]).toBe("private, no-cache");
  });
});

describe("trials", () => {
  test("are listed page by page, each once", async () => {
    const { deps, start, get } = await world();
    const runId = await start();
    for (const id of ["trl_a", "trl_b", "trl_c"])
      await deps.records.put(recordKeys.trial(runId, id), trialRow(id), "any");
    const first = await get(`/runs/${runId}/trials`, { limit: "2" });
    const second = await get(`/runs/${runId}/trials`, { limit: "2", cursor: first.json.next });
    const ids = [...first.json.trials, ...second.json.trials].map((row: TrialRecord) => row.trialId);
    expect(ids).toEqual(["trl_a", "trl_b", "trl_c"]);
    expect(second.json).not.toHaveProperty("next");
  });

  test("give the whole record of an ended attempt, which may be kept for ever", async () => {
    const { deps, start, get } = await world();
    const runId = await start();
    const trial = { trialId: "trl_a", agent: { name: "x", options: { token: secret } } };
    await deps.objects.put(
      objectKeys.attempt(runId, "trl_a", 1, "result.json"),
      Buffer.from(JSON.stringify({ runId, attempt: 1, trial })),
    );
    const { json, body, headers } = await get(`/trials/${runId}/trl_a/1`);
    expect(json).toMatchObject({ runId, attempt: 1, trial: { trialId: "trl_a" } });
    expect(body).not.toContain(secret);
    expect(headers["cache-control"]).toContain("immutable");
  });

  test("say where to read an attempt that is too large for an answer", async () => {
    const { deps, start, get } = await world();
    const runId = await start();
    const key = objectKeys.attempt(runId, "trl_a", 1, "result.json");
    await deps.objects.put(key, Buffer.from(JSON.stringify({ text: "x".repeat(4_000_001) })));
    expect(await get(`/trials/${runId}/trl_a/1`)).toMatchObject({
      statusCode: 413,
      json: { error: expect.stringContaining(key) },
    });
  });
});

test("datasets are listed once they are whole, page by page", async () => {
  const { deps, get } = await world();
  for (const key of ["a/ver_1/manifest.json", "a/ver_2/train.jsonl", "b/ver_3/manifest.json"])
    await deps.objects.put(`datasets/${key}`, Buffer.from("{}"));
  const first = await get("/datasets", { limit: "1" });
  expect(first.json).toEqual({
    datasets: [{ name: "a", version: "ver_1", prefix: "datasets/a/ver_1/" }],
    next: "a/ver_1",
  });
  const second = await get("/datasets", { limit: "1", cursor: first.json.next });
  expect(second.json).toEqual({ datasets: [{ name: "b", version: "ver_3", prefix: "datasets/b/ver_3/" }] });
});

describe("a request that cannot be answered", () => {
  test.each([
    ["a path that is none", "/nothing", {}, 404, /there are GET \/runs/],
    ["a run that is not there", "/runs/run_0", {}, 404, /no run run_0/],
    ["the trials of a run that is not there", "/runs/run_0/trials", {}, 404, /no run run_0/],
    ["an attempt that is not there", "/trials/run_0/trl_a/1", {}, 404, /no ended attempt 1/],
    ["a path that climbs", "/trials/run_0/../../1", {}, 404, /no such path/],
    ["a limit that is no number", "/runs", { limit: "many" }, 400, /`limit`/],
    ["a limit that is too high", "/runs", { limit: "1001" }, 400, /`limit`/],
    ["a cursor that nobody gave", "/runs", { cursor: "a b" }, 400, /`cursor`/],
  ])("is refused in JSON: %s", async (_, path, query, statusCode, error) => {
    const { get } = await world();
    const answer = await get(path, query as Record<string, string>);
    expect(answer.statusCode).toBe(statusCode);
    expect(answer.json.error).toMatch(error);
    expect(answer.headers["content-type"]).toMatch(/json/);
  });

  test("is refused when it would change something", async () => {
    const { get } = await world();
    const answer = await get("/runs", {}, "POST");
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, "GET, HEAD"]);
  });

  test("is thrown when the fault is ours, so that it is counted as an error", async () => {
    const { deps, get } = await world();
    deps.records.query = () => {
      throw new Error("table gone");
    };
    await expect(get("/runs")).rejects.toThrow("table gone");
  });
});

test("HEAD gives the headers alone", async () => {
  const { get } = await world();
  expect(await get("/runs", {}, "HEAD")).toMatchObject({ statusCode: 200, body: "" });
});
