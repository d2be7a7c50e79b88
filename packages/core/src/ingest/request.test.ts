import { describe, expect, test } from "vitest";
import { type Quirks, startProductionApi } from "../../../../test/servers/production-api.ts";
import { listedIds, testClient, testToken } from "../../../../test/servers/production-client.ts";

const numbered = (count: number, prefix = "t") =>
  Array.from({ length: count }, (_, index) => ({ id: `${prefix}${index}`, prompt: "p" }));

describe("the token", () => {
  test("goes to the API as a bearer token", async () => {
    await using api = await startProductionApi({ tasks: [] });
    await listedIds(testClient(api.url).client);
    expect(api.requests[0]?.authorization).toBe("Bearer secret-token");
  });

  test("a `next` on another origin does not get it", async () => {
    await using other = await startProductionApi({ tasks: [] });
    await using api = await startProductionApi({
      tasks: numbered(3),
      quirks: { foreignNext: `${other.url}/tasks?page=2` },
    });
    await expect(listedIds(testClient(api.url).client)).rejects.toMatchObject({
      code: "source-protocol",
      message: expect.stringContaining("must not get the token"),
    });
    expect(other.requests).toHaveLength(0);
  });

  test("a redirect to another origin does not get it; one on the same origin is followed", async () => {
    await using other = await startProductionApi({ tasks: [] });
    await using api = await startProductionApi({ tasks: numbered(1) });
    api.quirks.faults = [{ kind: "redirect", location: `${other.url}/tasks` }];
    await expect(listedIds(testClient(api.url).client)).rejects.toMatchObject({ code: "source-protocol" });
    expect(other.requests).toHaveLength(0);
    api.quirks.faults = [{ kind: "redirect", location: "/api/v1/tasks?status=done&page=1" }];
    expect(await listedIds(testClient(api.url).client)).toEqual(["t0"]);
  });

  test.each([401, 403])("HTTP %i stops at once and names the variable, never the token", async (status) => {
    const body = { error: { message: `token ${testToken} is not good` } };
    await using api = await startProductionApi({
      tasks: [],
      quirks: { faults: [{ kind: "status", status, body }] },
    });
    const { client, clock } = testClient(api.url, { tokenName: "MY_TOKEN" });
    const error = await listedIds(client).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "unauthorized", message: expect.stringContaining("MY_TOKEN") });
    expect(String(error)).not.toContain(testToken);
    expect(api.requests).toHaveLength(1);
    expect(clock.sleeps).toEqual([]);
  });

  test("one that cannot be sent is refused without being quoted", () => {
    const make = (bad: string) => () =>
      testClient("http://127.0.0.1:1", { token: bad, tokenName: "MY_TOKEN" });
    expect(make("secret\ntoken")).toThrow(/^MY_TOKEN is no bearer token/);
    expect(make("")).toThrow(/^MY_TOKEN is empty/);
  });
});

describe("a source in trouble", () => {
  test.each([
    ["429", { kind: "status", status: 429, times: 2 }],
    ["500", { kind: "status", status: 500, times: 2 }],
    ["503", { kind: "status", status: 503, times: 2 }],
    ["truncated JSON", { kind: "truncated", times: 2 }],
    ["a web page", { kind: "html", times: 2 }],
    ["a broken connection", { kind: "reset", times: 2 }],
  ] as const)("%s is tried again with growing waits", async (_name, fault) => {
    await using api = await startProductionApi({ tasks: numbered(1), quirks: { faults: [fault] } });
    const { client, clock } = testClient(api.url);
    expect(await listedIds(client)).toEqual(["t0"]);
    expect(clock.sleeps).toEqual([375, 750]);
    expect(client.stats).toEqual({ requests: 3, retries: 2 });
  });

  test("Retry-After is kept to, in seconds or as a date", async () => {
    const times = ["3", "Thu, 01 Jan 2026 00:00:10 GMT"];
    const faults = times.map(
      (value) => ({ kind: "status", status: 429, headers: { "retry-after": value } }) as const,
    );
    await using api = await startProductionApi({ tasks: numbered(1), quirks: { faults } });
    const { client, clock } = testClient(api.url);
    await listedIds(client);
    // The clock began at 00:00:00, and 3 s of the 10 have gone.
    expect(clock.sleeps).toEqual([3_000, 7_000]);
  });

  test("a server that asks for a very long wait is left alone, with that said", async () => {
    const fault = { kind: "status", status: 503, headers: { "retry-after": "7200" } } as const;
    await using api = await startProductionApi({ tasks: [], quirks: { faults: [fault] } });
    await expect(listedIds(testClient(api.url).client)).rejects.toMatchObject({
      code: "source-unavailable",
      retryable: true,
      message: expect.stringContaining("120 minutes"),
    });
  });

  test("after the last try the error names the request, the trouble and what to do", async () => {
    await using api = await startProductionApi({
      tasks: [],
      quirks: { faults: [{ kind: "html", times: 99 }] },
    });
    const { client } = testClient(api.url, { maxRetries: 2 });
    await expect(listedIds(client)).rejects.toMatchObject({
      code: "source-unavailable",
      message: expect.stringMatching(/^GET \/api\/v1\/tasks failed 3 times.*web page.*Check the base URL/),
    });
    expect(api.requests).toHaveLength(3);
  });

  test("a body that stalls runs into the timeout and is tried again", async () => {
    await using api = await startProductionApi({
      tasks: numbered(1),
      quirks: { faults: [{ kind: "stall" }] },
    });
    const { client } = testClient(api.url, { timeoutMs: 50 });
    expect(await listedIds(client)).toEqual(["t0"]);
    expect(client.stats.retries).toBe(1);
  });

  test("a stop ends a request in flight", async () => {
    await using api = await startProductionApi({ tasks: [], quirks: { faults: [{ kind: "stall" }] } });
    const stop = new AbortController();
    const { client } = testClient(api.url, {}, { signal: stop.signal });
    const ids = listedIds(client);
    const seen = expect(ids).rejects.toMatchObject({ code: "cancelled" });
    while (api.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort();
    await seen;
  });

  test("requests keep the distance asked for", async () => {
    await using api = await startProductionApi({ tasks: numbered(3), quirks: { hint: "hasNext" } });
    const { client, clock } = testClient(api.url, { taskPageSize: 1, sleepMs: 200 });
    await listedIds(client);
    expect(clock.sleeps).toEqual([200, 200]);
  });
});

describe("a nonce or run id", () => {
  test("that the API names is sent from then on, and is not asked for again", async () => {
    const demand = [
      { field: "nonce", value: "n-1", error: { error: { code: "NONCE_REQUIRED", nonce: "n-1" } } },
    ] as const;
    await using api = await startProductionApi({
      tasks: numbered(2),
      quirks: { demand: [...demand], hint: "hasNext" },
    });
    const { client } = testClient(api.url, { taskPageSize: 1 });
    expect(await listedIds(client)).toEqual(["t0", "t1"]);
    const nonces = api.requests.map(({ url }) => new URL(url, api.url).searchParams.get("nonce"));
    expect(nonces).toEqual([null, "n-1", "n-1"]);
  });

  test("that the API does not name is made up; both may be wanted; a write carries them as fields", async () => {
    const demand: Quirks["demand"] = [
      { field: "run_id", status: 400, error: { detail: { code: "run-id-required" } } },
      { field: "nonce", status: 403, error: { code: "nonce_required" } },
    ];
    await using api = await startProductionApi({ tasks: [], quirks: { demand } });
    const { client } = testClient(api.url);
    await client.post("/tasks/t1/solutions", { answer: "42" });
    const sent = api.requests.at(-1);
    expect(sent).toMatchObject({
      method: "POST",
      body: { answer: "42", run_id: expect.any(String), nonce: expect.any(String) },
    });
    expect(sent?.url).not.toContain("nonce");
    expect(new Set(api.requests.map((each) => each.headers["idempotency-key"])).size).toBe(1);
  });

  test("that is never good enough ends in the API's own words", async () => {
    const demand: Quirks["demand"] = [
      { field: "nonce", value: "no such", error: { error: { code: "nonce_required" } } },
    ];
    await using api = await startProductionApi({ tasks: [], quirks: { demand } });
    await expect(listedIds(testClient(api.url).client)).rejects.toMatchObject({
      code: "source-protocol",
      message: expect.stringContaining("nonce_required"),
    });
    expect(api.requests.length).toBeLessThan(12);
  });
});
