import { readSnapshotRows } from "@tracemill/core/ingest/manifest.ts";
import { collect } from "@tracemill/core/streams.ts";
import { afterEach, describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { gather } from "../../../../test/fakes/gather.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { type ProductionApi, startProductionApi } from "../../../../test/servers/production-api.ts";
import { keptLog, keptQueue, manualDeadline, sqsEvent } from "../../test/fakes.ts";
import { type MirrorDeps, mirrorSource } from "./mirror.ts";
import { mirrorRecords } from "./queue-records.ts";

const token = "secret-token";
const taskIds = Array.from({ length: 12 }, (_, index) => `task-${index + 1}`);

let api: ProductionApi | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** A source of twelve tasks, mirrored by invocations that share the stores and the queue. */
async function world(parts: Partial<MirrorDeps> = {}) {
  const server = await startProductionApi({
    tasks: taskIds.map((id) => ({ id, status: "done", prompt: `Do ${id}` })),
    solutions: Object.fromEntries(taskIds.map((id) => [id, [{ id: `s-${id}`, task_id: id }]])),
  });
  api = server;
  const log = keptLog();
  const queue = keptQueue();
  const published: unknown[] = [];
  const clock = fakeClock();
  const records = memoryRecordStore();
  const deps: MirrorDeps = {
    objects: memoryObjectStore(),
    records,
    clock,
    random: () => 0.5,
    fetch,
    queue,
    events: { publish: async ({ detail }) => void published.push(detail) },
    secrets: { get: async (name) => (name === "PROD_API_TOKEN" ? token : undefined) },
    stage: "test",
    secretPrefix: "tracemill/test/",
    prodBaseUrl: undefined,
    log,
    ...parts,
  };
  const source = { name: "prod", baseUrl: server.url, taskPageSize: 3, concurrency: 1 };
  /** An invocation whose time runs short after so many requests. */
  const invoke = (message: { hop?: number; firing?: string } = {}, requests = Number.POSITIVE_INFINITY) => {
    const deadline = manualDeadline();
    let left = requests;
    const counted: typeof globalThis.fetch = (...args) => {
      left -= 1;
      if (left < 0) deadline.come();
      return deps.fetch(...args);
    };
    return mirrorSource({ source, hop: 0, firing: "night-1", ...message }, deadline, {
      ...deps,
      fetch: counted,
    });
  };
  const rows = async (snapshotId: string) =>
    (await gather(readSnapshotRows(deps.objects, "prod", snapshotId))).map((row) => row.task.id);
  return { deps, records, api: server, log, queue, published, clock, source, invoke, rows };
}

describe("a source that is mirrored on a schedule", () => {
  test("is stored whole and announced; the same firing again asks it nothing", async () => {
    const { invoke, rows, published, api: server } = await world();
    const first = await invoke();
    if (first.status !== "complete") throw new Error("not complete");
    expect(await rows(first.snapshotId)).toEqual(taskIds);
    const asked = server.requests.length;
    expect(await invoke()).toEqual(first);
    expect(server.requests).toHaveLength(asked);
    expect(published).toEqual([{ stage: "test", source: "prod", snapshotId: first.snapshotId }]);
  });

  test("is mirrored anew by the next firing", async () => {
    const { invoke, published, clock } = await world();
    const first = await invoke({ firing: "night-1" });
    clock.advance(1_000);
    const second = await invoke({ firing: "night-2" });
    expect(second).not.toEqual(first);
    expect(published).toHaveLength(2);
  });

  test("takes several invocations when each has little time, and no task is lost or fetched into two snapshots", async () => {
    const { invoke, rows, queue, published, deps } = await world();
    let mirrored = await invoke({}, 6);
    for (let turn = 0; turn < 20 && mirrored.status === "continued"; turn += 1) {
      const message = queue.sent.shift();
      if (message === undefined) throw new Error("nobody was asked to go on");
      mirrored = await invoke({ hop: message.hop, firing: message.firing ?? "" }, 6);
    }
    if (mirrored.status !== "complete") throw new Error("never complete");
    expect(await rows(mirrored.snapshotId)).toEqual(taskIds);
    expect(published).toHaveLength(1);
    const manifests = (await gather(deps.objects.list("raw/"))).filter(({ key }) =>
      key.endsWith("manifest.json"),
    );
    expect(manifests).toHaveLength(1);
  });

  test("survives messages that come twice, late and out of order", async () => {
    const { invoke, rows, queue, published } = await world();
    const delivered: { hop: number; firing?: string | undefined }[] = [];
    await invoke({}, 6);
    let complete: string | undefined;
    for (let turn = 0; turn < 20 && queue.sent.length > 0; turn += 1) {
      const message = queue.sent.pop();
      if (message === undefined) break;
      // Each message twice, and every older one once more behind it.
      delivered.unshift(message, message);
      for (const { hop, firing = "" } of delivered.slice(0, 4)) {
        const mirrored = await invoke({ hop, firing }, 6);
        if (mirrored.status === "complete") complete = mirrored.snapshotId;
      }
    }
    expect(await rows(complete ?? "")).toEqual(taskIds);
    expect(new Set(published.map((detail) => JSON.stringify(detail)))).toHaveLength(1);
  });

  test("is left to one of two invocations at once; the other ends quietly", async () => {
    const { invoke, rows, log, published } = await world();
    const both = await Promise.all([invoke(), invoke()]);
    const complete = both.find((each) => each.status === "complete");
    expect(both.map(({ status }) => status).toSorted()).toEqual(["complete", "displaced"]);
    expect(await rows(complete?.status === "complete" ? complete.snapshotId : "")).toEqual(taskIds);
    expect(log.lines.filter(({ level }) => level !== "info")).toEqual([]);
    expect(published).toHaveLength(1);
  });

  test("is announced by the next try when the event could not be sent, and not fetched again", async () => {
    const published: unknown[] = [];
    let refusals = 1;
    const { invoke, api: server } = await world({
      events: {
        publish: async ({ detail }) => {
          refusals -= 1;
          if (refusals >= 0) throw new Error("the bus is down");
          published.push(detail);
        },
      },
    });
    await expect(invoke()).rejects.toThrow("the bus is down");
    const asked = server.requests.length;
    const again = await invoke();
    expect(server.requests).toHaveLength(asked);
    expect(published).toEqual([
      { stage: "test", source: "prod", snapshotId: again.status === "complete" && again.snapshotId },
    ]);
  });

  test("names the command that sets a token that is not set yet", async () => {
    const { invoke } = await world({ secrets: { get: async () => undefined } });
    await expect(invoke()).rejects.toMatchObject({
      code: "unauthorized",
      message: expect.stringContaining("put-secret-value --secret-id tracemill/test/PROD_API_TOKEN"),
    });
  });

  test("says when an unfinished snapshot asked something else, instead of leaving it to nobody", async () => {
    const { invoke, deps, source } = await world();
    await invoke({}, 6);
    const changed = { ...source, statuses: ["partial"] };
    const work = mirrorSource({ source: changed, hop: 0, firing: "night-2" }, manualDeadline(), deps);
    await expect(work).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("statuses"),
    });
  });

  test("gives up on a source that never ends", async () => {
    const { invoke } = await world();
    await expect(invoke({ hop: 120 }, 2)).rejects.toMatchObject({ code: "timeout" });
  });

  test("leaves the token nowhere", async () => {
    const { invoke, deps, records, log, queue } = await world();
    await invoke({}, 6);
    await invoke();
    const stored = await gather(deps.objects.list("raw/"));
    const texts = await Promise.all(
      stored.map(async ({ key }) =>
        (await collect((await deps.objects.get(key)) ?? nothing())).toString("latin1"),
      ),
    );
    const rows = await gather(records.query("source#prod"));
    expect([...texts, JSON.stringify([rows, queue.sent]), log.text()].join()).not.toContain(token);
  });
});

describe("messages of the ingest queue", () => {
  test("fail one by one: a broken one goes back alone", async () => {
    const { deps, source, published, log } = await world();
    const good = JSON.stringify({ source, hop: 1, firing: "night-1" });
    const event = sqsEvent(["{broken", JSON.stringify({ hop: 1 }), good]);
    const answer = await mirrorRecords(event, manualDeadline(), deps);
    expect(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(["msg-1", "msg-2"]);
    expect(published).toHaveLength(1);
    expect(log.text()).toMatch(/msg-1 of the ingest queue is no JSON/);
    expect(log.text()).toMatch(/`source`: is missing/);
  });

  test("go back when the source refuses the token, with the reason in the log", async () => {
    const { deps, source, log } = await world({ secrets: { get: async () => "wrong" } });
    const event = sqsEvent([JSON.stringify({ source, hop: 0 })]);
    const answer = await mirrorRecords(event, manualDeadline(), deps);
    expect(answer.batchItemFailures).toHaveLength(1);
    expect(log.text()).toContain("the secret tracemill/test/PROD_API_TOKEN");
  });
});
