import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { dyingFetch, dyingStores, type Stores } from "../../../../test/fakes/dying.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { type Hint, startProductionApi } from "../../../../test/servers/production-api.ts";
import { testToken } from "../../../../test/servers/production-client.ts";
import { isTracemillError } from "../errors.ts";
import { readCursor } from "./cursor.ts";
import { filesOf, latestSnapshot, readSnapshotRows, type SnapshotManifest } from "./manifest.ts";
import type { IngestInput } from "./options.ts";
import { type IngestDeps, ingestSnapshot } from "./snapshot.ts";

const tasks = Array.from({ length: 24 }, (_, index) => ({ id: `t${index}`, prompt: "p" }));
/** Every fourth task has no solution. */
const solutions = Object.fromEntries(
  tasks.map(({ id }, index) => [id, index % 4 === 3 ? [] : [{ id: `${id}-a`, steps: [] }]]),
);
const kept = tasks.filter((_, index) => index % 4 !== 3).map(({ id }) => id);

const memoryStores = (): Stores => ({ objects: memoryObjectStore(), records: memoryRecordStore() });

function ingestInto(
  stores: Stores,
  input: IngestInput,
  deps: Partial<IngestDeps> = {},
): Promise<SnapshotManifest> {
  return ingestSnapshot(input, {
    ...stores,
    clock: fakeClock(),
    random: () => 0.5,
    fetch,
    token: testToken,
    ...deps,
  });
}

async function idsIn({ objects }: Stores, { source, snapshotId }: SnapshotManifest): Promise<string[]> {
  return (await Array.fromAsync(readSnapshotRows(objects, source, snapshotId))).map((row) => row.task.id);
}

const hints: Hint[] = ["total", "next-url", "next-number", "next_cursor", "none"];

describe("an ingest that was stopped", () => {
  test("goes on, wherever it was refused: every task once, in order, with the counts of one that was not", async () => {
    await using api = await startProductionApi({ tasks, solutions });
    const whole = await ingestInto(memoryStores(), { baseUrl: api.url, taskPageSize: 5 });
    const stops = fc.array(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 4 });
    const property = fc.asyncProperty(stops, fc.constantFrom(...hints), async (given, hint) => {
      api.quirks.hint = hint;
      const stores = memoryStores();
      const input = { baseUrl: api.url, taskPageSize: 5, full: true };
      for (const stop of given) {
        await ingestInto(stores, input, { fetch: dyingFetch(stop) }).catch((error: unknown) => {
          expect(isTracemillError(error, "unauthorized")).toBe(true);
        });
      }
      const manifest = await ingestInto(stores, input);
      expect(await idsIn(stores, manifest)).toEqual(kept);
      const { rows, empty, duplicates, solutions: count } = manifest.counts;
      expect({ rows, empty, duplicates, count }).toEqual({ rows: 18, empty: 6, duplicates: 0, count: 18 });
    });
    await fc.assert(property, { numRuns: 40 });
    expect(whole.counts.rows).toBe(18);
  });

  test("does not fetch again what it had stored", async () => {
    await using api = await startProductionApi({ tasks, solutions });
    const stores = memoryStores();
    const input = { baseUrl: api.url, concurrency: 1 };
    api.quirks.faults = [{ match: /t9\/solutions/, kind: "status", status: 401 }];
    await expect(ingestInto(stores, input)).rejects.toMatchObject({ code: "unauthorized" });
    api.requests.length = 0;
    await ingestInto(stores, input);
    const again = api.requests
      .map(({ url }) => /tasks\/(t\d+)\//.exec(url)?.[1])
      .filter((id) => id !== undefined);
    expect(again).toEqual(tasks.slice(9).map(({ id }) => id));
  });

  test("goes on after a kill at any write, and leaves nothing that the manifest does not name", async () => {
    await using api = await startProductionApi({ tasks, solutions });
    const input = { baseUrl: api.url, taskPageSize: 5, concurrency: 2 };
    for (const lands of [false, true]) {
      for (let writes = 1; writes <= 14; writes += 1) {
        const stores = memoryStores();
        // The first process also loses its source now and then, so that there are several parts.
        for (const stop of [9, 12, 99]) {
          const dying = dyingStores(stores, writes, lands);
          await ingestInto(dying, input, { fetch: dyingFetch(stop) }).catch(() => undefined);
        }
        const before = await latestSnapshot(stores.records, "prod");
        const manifest = await ingestInto(stores, input);
        expect(await idsIn(stores, manifest)).toEqual(kept);
        expect(manifest.state).toEqual({ tasks: 18, solutions: 18 });
        if (before !== undefined) continue;
        expect(manifest.counts).toMatchObject({ rows: 18, empty: 6, duplicates: 0 });
        const found = (await Array.fromAsync(stores.objects.list(""))).map(({ key }) => key);
        const files = found.filter((key) => !key.endsWith("/manifest.json"));
        expect(files.sort()).toEqual(filesOf(manifest).sort());
      }
    }
  });

  test("by Ctrl-C keeps what it had", async () => {
    await using api = await startProductionApi({ tasks, solutions });
    const stores = memoryStores();
    const stop = new AbortController();
    const stopped = ingestInto(
      stores,
      { baseUrl: api.url },
      {
        signal: stop.signal,
        onProgress: ({ rows }) => {
          if (rows === 6) stop.abort();
        },
      },
    );
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    const cursor = await readCursor(stores.records, "prod");
    expect(cursor?.data.status).toBe("open");
    expect(cursor?.data.counts.rows).toBeGreaterThanOrEqual(6);
    expect(await idsIn(stores, await ingestInto(stores, { baseUrl: api.url }))).toEqual(kept);
  });

  test("before anything was fetched gives way to another query, such as one with a mended address", async () => {
    await using api = await startProductionApi({ tasks, solutions });
    const stores = memoryStores();
    const slip = { baseUrl: `${api.url}/nowhere` };
    await expect(ingestInto(stores, slip, { fetch: dyingFetch(0) })).rejects.toThrow();
    expect(await idsIn(stores, await ingestInto(stores, { baseUrl: api.url }))).toEqual(kept);
  });

  test("is not mixed with another query: the error names the difference and --restart, which drops it", async () => {
    await using api = await startProductionApi({ tasks, solutions });
    const stores = memoryStores();
    const input = { baseUrl: api.url };
    await expect(ingestInto(stores, input, { fetch: dyingFetch(9) })).rejects.toThrow();
    const other = { ...input, statuses: ["done", "partial"] };
    await expect(ingestInto(stores, other)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/statuses \["done"\], now \["done","partial"\].*--restart/),
    });
    const manifest = await ingestInto(stores, { ...other, restart: true });
    expect(await idsIn(stores, manifest)).toEqual(kept);
    const snapshots = (await Array.fromAsync(stores.objects.list("raw/prod/"))).map(
      ({ key }) => key.split("/")[2],
    );
    expect(new Set(snapshots)).toEqual(new Set([manifest.snapshotId]));
  });

  test("leaves the newest whole snapshot the one before it", async () => {
    await using api = await startProductionApi({ tasks, solutions });
    const stores = memoryStores();
    const first = await ingestInto(stores, { baseUrl: api.url });
    await expect(ingestInto(stores, { baseUrl: api.url }, { fetch: dyingFetch(9) })).rejects.toThrow();
    expect(await latestSnapshot(stores.records, "prod")).toBe(first.snapshotId);
    const second = await ingestInto(stores, { baseUrl: api.url });
    expect(second.snapshotId).not.toBe(first.snapshotId);
    expect(await latestSnapshot(stores.records, "prod")).toBe(second.snapshotId);
  });
});

describe("two ingests of one source at once", () => {
  test("begun together, one is told of the other and the other's snapshot is whole", async () => {
    await using api = await startProductionApi({ tasks, solutions });
    const stores = memoryStores();
    const both = [ingestInto(stores, { baseUrl: api.url }), ingestInto(stores, { baseUrl: api.url })];
    const settled = await Promise.allSettled(both);
    const failed = settled.filter((each) => each.status === "rejected");
    const done = settled.filter((each) => each.status === "fulfilled");
    expect(failed).toHaveLength(1);
    expect(failed[0]?.reason).toMatchObject({
      code: "conflict",
      message: expect.stringContaining("another ingest"),
    });
    expect(await idsIn(stores, done[0]?.value as SnapshotManifest)).toEqual(kept);
  });

  test("one that takes over from a slow one is not disturbed by it", async () => {
    await using api = await startProductionApi({ tasks, solutions });
    const stores = memoryStores();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slowFetch: typeof fetch = async (url, init) => {
      if (String(url).includes("/t5/")) await held;
      return fetch(url, init);
    };
    // Its rows are others by the time at which they were fetched.
    const clock = fakeClock();
    clock.advance(1_000);
    const slow = ingestInto(stores, { baseUrl: api.url }, { fetch: slowFetch, clock });
    const told = expect(slow).rejects.toMatchObject({ code: "conflict" });
    while (api.requests.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    const manifest = await ingestInto(stores, { baseUrl: api.url });
    release();
    await told;
    expect(await idsIn(stores, manifest)).toEqual(kept);
  });
});
