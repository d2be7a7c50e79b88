import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { type ProductionApi, startProductionApi } from "../../../../test/servers/production-api.ts";
import { testClient } from "../../../../test/servers/production-client.ts";
import type { WriteFate, WriteQuirks } from "../../../../test/servers/production-writes.ts";
import { isTracemillError } from "../errors.ts";
import { isObject, parseExact } from "../ingest/json.ts";
import type { WriteDeps } from "./write-once.ts";
import { claimTask, createTask, submitSolution } from "./writes.ts";

const solution = { agent: "tester", answer: "42", steps: [{ message: "it is 42" }] };
const taken = (answer: WriteFate["answer"]): WriteFate => ({ takes: true, answer });
const lost = (answer: WriteFate["answer"]): WriteFate => ({ takes: false, answer });

function startApi(writes: WriteQuirks = {}): Promise<ProductionApi> {
  return startProductionApi({ tasks: [{ id: "t1", prompt: "say" }], quirks: { writes } });
}

function depsFor(api: ProductionApi, records = memoryRecordStore()): WriteDeps & { records: typeof records } {
  return { ...testClient(api.url), records, source: "prod" };
}

const submitted = (api: ProductionApi): unknown[] => api.solutions.t1 ?? [];

describe("submitting a solution", () => {
  test("gives its id, and the API has what was sent", async () => {
    await using api = await startApi();
    const written = await submitSolution({ taskId: "t1", solution }, depsFor(api));
    expect(written).toEqual({ id: "s-1", before: false });
    expect(submitted(api)).toMatchObject([solution]);
  });

  test.each([
    ["the connection is cut after it was taken", [taken("cut")], {}],
    ["the API answers 500 after it was taken", [taken(500)], {}],
    [
      "it is taken without a word, and the API knows nothing of keys",
      [taken("empty")],
      { honoursKey: false },
    ],
    [
      "it is taken and cut, and the API knows neither keys nor references",
      [taken("cut")],
      { honoursKey: false, keepsReference: false },
    ],
    ["it is lost, then taken and cut", [lost(503), lost("cut"), taken("cut")], { honoursKey: false }],
  ] satisfies [string, WriteFate[], WriteQuirks][])("is there once when %s", async (_, fates, quirks) => {
    await using api = await startApi({ fates, ...quirks });
    const { id } = await submitSolution({ taskId: "t1", solution }, depsFor(api));
    expect(submitted(api)).toMatchObject([{ id }]);
  });

  test("is there once when it is submitted again later, and the later one is told its id", async () => {
    await using api = await startApi({ honoursKey: false });
    const deps = depsFor(api);
    const first = await submitSolution({ taskId: "t1", solution }, deps);
    const again = await submitSolution({ taskId: "t1", solution }, depsFor(api, deps.records));
    expect(again).toEqual({ id: first.id, before: true });
    expect(submitted(api)).toHaveLength(1);
  });

  test("is sent to each API that it is meant for, though all have one source's name", async () => {
    await using staging = await startApi();
    await using api = await startApi();
    const { records, ...deps } = depsFor(staging);
    await submitSolution({ taskId: "t1", solution }, { ...deps, records });
    const written = await submitSolution({ taskId: "t1", solution }, depsFor(api, records));
    expect(written.before).toBe(false);
    expect(submitted(api)).toHaveLength(1);
  });

  test("keeps its numbers as they were written, also when it is looked for", async () => {
    await using api = await startApi({
      fates: [taken("cut")],
      honoursKey: false,
      keepsReference: false,
    });
    const exact = parseExact('{"agent":"a","seed":12345678901234567890,"share":1.0}');
    if (!isObject(exact)) throw new Error("no object");
    let body = "";
    const { client } = testClient(
      api.url,
      {},
      {
        fetch: (url, init) => {
          if (typeof init?.body === "string") body = init.body;
          return fetch(url, init);
        },
      },
    );
    await submitSolution({ taskId: "t1", solution: exact }, { ...depsFor(api), client });
    expect(body).toContain('"seed":12345678901234567890,"share":1.0');
    expect(submitted(api)).toHaveLength(1);
  });

  test("is there once when the process that sent it was killed before it heard", async () => {
    await using api = await startApi({ honoursKey: false });
    const deps = depsFor(api);
    const dying = { ...deps, records: { ...deps.records, put: killedAfter(1, deps.records.put) } };
    await expect(submitSolution({ taskId: "t1", solution }, dying)).rejects.toThrow("killed");
    const waits: string[] = [];
    const next = { ...depsFor(api, deps.records), onWait: (text: string) => waits.push(text) };
    const written = await submitSolution({ taskId: "t1", solution }, next);
    expect(written).toEqual({ id: "s-1", before: true });
    expect(submitted(api)).toHaveLength(1);
    expect(waits).toEqual(["another process is sending this; waiting up to 60 s for it"]);
  });

  test("waits no longer for a killed process when the clock was set back", async () => {
    await using api = await startApi();
    const deps = depsFor(api);
    const dying = { ...deps, records: { ...deps.records, put: killedAfter(1, deps.records.put) } };
    await expect(submitSolution({ taskId: "t1", solution }, dying)).rejects.toThrow("killed");
    const next = depsFor(api, deps.records);
    const slept: number[] = [];
    const clock = { now: () => 0, sleep: async (ms: number) => void slept.push(ms) };
    await submitSolution({ taskId: "t1", solution }, { ...next, clock });
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(61_000);
  });

  test("is there twice when its content differs: those are two", async () => {
    await using api = await startApi();
    const deps = depsFor(api);
    await submitSolution({ taskId: "t1", solution }, deps);
    await submitSolution({ taskId: "t1", solution: { ...solution, answer: "43" } }, deps);
    expect(submitted(api)).toHaveLength(2);
  });

  test("sends files beside it, whole", async () => {
    await using api = await startApi();
    const blob = new Blob([Buffer.alloc(3_000_000, 7)]);
    const files = [{ field: "artifact", name: "work.tar.zst", blob, sha256: "a" }];
    await submitSolution({ taskId: "t1", solution, files }, depsFor(api));
    expect(submitted(api)).toMatchObject([
      { ...solution, files: [{ field: "artifact", name: "work.tar.zst", size: 3_000_000 }] },
    ]);
  });

  test("sends a large file again when the connection is cut in the middle of it", async () => {
    const size = 64 * 1024 * 1024;
    await using server = await cutOnce(8 * 1024 * 1024);
    const files = [{ field: "artifact", name: "video", blob: new Blob([Buffer.alloc(size)]), sha256: "a" }];
    const deps = { ...testClient(server.url), records: memoryRecordStore(), source: "prod" };
    await expect(submitSolution({ taskId: "t1", solution, files }, deps)).resolves.toEqual({
      id: "s-1",
      before: false,
    });
    expect(server.received).toBeGreaterThan(size);
  });

  test("says that the API refused it, and may be tried again at once", async () => {
    await using api = await startApi();
    const deps = depsFor(api);
    api.quirks.faults = [{ kind: "status", status: 422, body: { error: "no such format" } }];
    await expect(submitSolution({ taskId: "t1", solution }, deps)).rejects.toThrow(
      /HTTP 422: no such format/,
    );
    const waits: string[] = [];
    await submitSolution({ taskId: "t1", solution }, { ...deps, onWait: (text) => waits.push(text) });
    expect(waits).toEqual([]);
  });

  test("carries a nonce that the API asks for, in the form as in JSON", async () => {
    await using api = await startApi();
    api.quirks.demand = [{ field: "nonce", value: "n-7", error: { error: "nonce_required", nonce: "n-7" } }];
    const files = [{ field: "artifact", name: "a", blob: new Blob(["x"]), sha256: "a" }];
    await submitSolution({ taskId: "t1", solution, files }, depsFor(api));
    expect(submitted(api)).toMatchObject([{ nonce: "n-7" }]);
  });

  test("holds for whatever goes wrong: at most one, and exactly one in the end", async () => {
    const fate = fc.record({
      takes: fc.boolean(),
      answer: fc.constantFrom<WriteFate["answer"]>("ok", "cut", "empty", 429, 500, 503),
    });
    const quirks = fc.constantFrom(
      { honoursKey: false },
      { honoursKey: true },
      { honoursKey: false, keepsReference: false },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fate, { maxLength: 8 }), quirks, async (fates, extra) => {
        await using api = await startApi({ fates, ...extra });
        const deps = depsFor(api);
        const submit = () => submitSolution({ taskId: "t1", solution }, deps);
        for (let round = 0; round < 4; round += 1) {
          const ended = await submit().then(
            () => true,
            (error: unknown) => !isTracemillError(error, "source-unavailable"),
          );
          expect(submitted(api).length).toBeLessThanOrEqual(1);
          if (ended) break;
        }
        expect(submitted(api)).toHaveLength(1);
      }),
      { numRuns: 60 },
    );
  });
});

describe("creating a task", () => {
  test("creates it once, though the answer was lost and the process ended", async () => {
    await using api = await startApi({ fates: [taken("cut")], honoursKey: false });
    const deps = depsFor(api);
    const task = { prompt: "count the files", kind: "shell" };
    const { id } = await createTask(task, deps);
    expect(await createTask(task, deps)).toEqual({ id, before: true });
    expect(api.tasks).toHaveLength(2);
  });
});

describe("claiming a task", () => {
  test("claims it, and again without harm", async () => {
    await using api = await startApi();
    const deps = depsFor(api);
    expect(await claimTask("t1", deps)).toEqual({ id: "c-1", before: false });
    expect(await claimTask("t1", deps)).toEqual({ id: "c-1", before: true });
  });

  test("knows its own claim when the answer was lost", async () => {
    await using api = await startApi({ fates: [taken("cut")], honoursKey: false });
    await expect(claimTask("t1", depsFor(api))).resolves.toMatchObject({ before: true });
  });

  test("says who has it", async () => {
    await using api = await startApi({ claimed: { t1: "agent-9" } });
    await expect(claimTask("t1", depsFor(api))).rejects.toMatchObject({
      code: "conflict",
      message: "task t1 is claimed by agent-9; claim another one",
    });
  });
});

function killedAfter<A extends unknown[], R>(calls: number, call: (...args: A) => Promise<R>) {
  let left = calls;
  return async (...args: A): Promise<R> => {
    left -= 1;
    if (left < 0) throw new Error("killed");
    return call(...args);
  };
}

/** An API that cuts its first upload after so many bytes, and takes the next one. */
async function cutOnce(bytes: number) {
  const state = { received: 0, uploads: 0 };
  const server = createServer(async (request, response) => {
    if (request.method === "GET") return response.end('{"results": []}');
    state.uploads += 1;
    let seen = 0;
    for await (const chunk of request) {
      seen += (chunk as Buffer).length;
      if (state.uploads === 1 && seen > bytes) return response.destroy();
    }
    state.received = seen;
    return response.writeHead(201).end('{"id": "s-1"}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`,
    get received() {
      return state.received;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
