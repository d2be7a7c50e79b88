import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { jsonLinesBody } from "@tracemill/core/stored-json.ts";
import { collect } from "@tracemill/core/streams.ts";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { fakeClock } from "../../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../../test/fakes/memory-stores.ts";
import { fixtureTrial, writeRun } from "../../../../../test/fakes/run-fixture.ts";
import { createOutput } from "../../output.ts";
import { syncLedger } from "./ledger.ts";
import { type SyncRequest, syncHomes } from "./sync.ts";

interface Stores {
  objects: ObjectStore;
  records: RecordStore;
}

let cloud: Stores;
let local: Stores;
beforeEach(() => {
  cloud = { objects: memoryObjectStore(), records: memoryRecordStore() };
  local = { objects: memoryObjectStore(), records: memoryRecordStore() };
});

const never = new AbortController().signal;
const quiet = createOutput({ stdout: { write: () => {} }, stderr: { write: () => {} } });
const context = (draining = never) => ({ clock: fakeClock(), out: quiet, draining });

function sync(direction: "pull" | "push", changes: Partial<SyncRequest> = {}, draining = never) {
  const [from, to] = direction === "pull" ? [cloud, local] : [local, cloud];
  const ledger = syncLedger(local.records, "dev", changes.dryRun);
  return syncHomes({ from, to, ledger, dryRun: false, ...changes }, context(draining));
}

async function textOf({ objects }: Stores, key: string): Promise<string | undefined> {
  const body = await objects.get(key);
  return body && (await collect(body)).toString();
}

async function contents({ objects, records }: Stores, runId: string): Promise<unknown> {
  const keys = await Array.fromAsync(objects.list(""), ({ key }) => key);
  const texts = await Promise.all(keys.map((key) => textOf({ objects, records }, key)));
  const rows = [
    ...(await Array.fromAsync(records.query(`run#${runId}`))),
    await records.get(recordKeys.run(runId)),
  ];
  return { keys, texts, rows: rows.map((row) => [row?.pk, row?.sk, row?.data]) };
}

const runId = "run_FIXTURE";
const row = { schemaVersion: 1, runId, name: "n", specHash: "x", createdAt: "2026-01-01T00:00:00.000Z" };

async function aRun(stores: Stores, trials = 6): Promise<void> {
  await writeRun({ runId, trials }, stores);
  await stores.objects.put(objectKeys.runSpec(runId), Buffer.from("{}"));
  await stores.objects.put(objectKeys.runSummary(runId), Buffer.from("summary 1"));
  const tasks = Array.from({ length: trials }, (_, index) => ({
    ...fixtureTrial(runId, index).task,
    references: [],
  }));
  await stores.objects.put(objectKeys.runTasks(runId), jsonLinesBody(tasks));
  for (const { hash } of tasks) await stores.objects.put(objectKeys.task(hash), Buffer.from(hash));
  await stores.objects.put(objectKeys.runShards(runId), Buffer.from("{}"));
  await stores.records.put(recordKeys.run(runId), { ...row, status: "running" }, "any");
}

test("a pull brings a run whole; a second one finds everything the same", async () => {
  await aRun(cloud);
  const first = await sync("pull");
  expect(first.conflictCount).toBe(0);
  expect(await contents(local, runId)).toEqual(await contents(cloud, runId));
  const { counts } = await sync("pull");
  expect(counts).toMatchObject({ copied: 0, replaced: 0, ahead: 0, bytes: 0 });
  expect(counts.same).toBe(first.counts.copied);
});

test("one run comes with its tasks and dataset, and nothing else", async () => {
  await aRun(cloud);
  await cloud.objects.put("datasets/n/v1/manifest.json", Buffer.from("m"));
  await cloud.objects.put("datasets/n/v2/manifest.json", Buffer.from("m"));
  await cloud.objects.put("tasks/other.tar.zst", Buffer.from("m"));
  const finished = { ...row, status: "finished", finishedAt: row.createdAt, dataset: "datasets/n/v1/" };
  await cloud.records.put(recordKeys.run(runId), finished, "any");
  await sync("pull", { run: "latest" });
  const keys = await Array.fromAsync(local.objects.list(""), ({ key }) => key);
  expect(keys.filter((key) => !key.startsWith("runs/"))).toEqual([
    "datasets/n/v1/manifest.json",
    ...[0, 3].map((index) => objectKeys.task(fixtureTrial(runId, index).task.hash)).toSorted(),
  ]);
  expect(await local.records.get(recordKeys.run(runId))).toMatchObject({ data: finished });
});

test("a dry run counts what a sync would copy, and writes nothing", async () => {
  await aRun(cloud);
  const planned = await sync("pull", { dryRun: true });
  expect(await Array.fromAsync(local.objects.list(""))).toEqual([]);
  expect(await Array.fromAsync(local.records.query("sync#dev"))).toEqual([]);
  const done = await sync("pull");
  expect(planned.counts).toEqual(done.counts);
});

test("the state machine's own lists stay where they are", async () => {
  await cloud.objects.put(objectKeys.runRound(runId, "e", 1, "shards"), Buffer.from("[]"));
  await sync("pull");
  expect(await Array.fromAsync(local.objects.list(""))).toEqual([]);
});

describe("what changes on one side", () => {
  const newer = { ...row, status: "stopped", stoppedAt: row.createdAt, reason: "r" };

  beforeEach(async () => {
    await aRun(cloud);
    await sync("pull");
  });

  test("is brought to the other one, in either direction", async () => {
    await cloud.objects.put(objectKeys.runSummary(runId), Buffer.from("summary 2"));
    await cloud.records.put(recordKeys.run(runId), newer, "any");
    expect((await sync("push")).counts).toMatchObject({ replaced: 0, ahead: 2 });
    expect((await sync("pull")).counts).toMatchObject({ replaced: 2, ahead: 0 });
    expect(await textOf(local, objectKeys.runSummary(runId))).toBe("summary 2");
    await local.records.put(recordKeys.run(runId), { ...row, status: "running" }, "any");
    expect((await sync("pull")).counts).toMatchObject({ replaced: 0, ahead: 1 });
    expect((await sync("push")).counts).toMatchObject({ replaced: 1 });
    expect(await contents(local, runId)).toEqual(await contents(cloud, runId));
  });

  test("and on the other too is a conflict that is named and left alone", async () => {
    await cloud.objects.put(objectKeys.runSummary(runId), Buffer.from("summary 2"));
    await local.objects.put(objectKeys.runSummary(runId), Buffer.from("summary 3"));
    await cloud.records.put(recordKeys.run(runId), newer, "any");
    await local.records.put(recordKeys.run(runId), { ...newer, reason: "other" }, "any");
    const { conflicts, counts } = await sync("pull");
    expect(conflicts.map(({ what }) => what).toSorted()).toEqual([
      `record runs/${runId}`,
      objectKeys.runSummary(runId),
    ]);
    expect(counts.replaced).toBe(0);
    expect(await textOf(local, objectKeys.runSummary(runId))).toBe("summary 3");
  });

  test("an object that should never change is never overwritten", async () => {
    const key = objectKeys.task(fixtureTrial(runId, 0).task.hash);
    await cloud.objects.put(key, Buffer.from("something longer than it was"));
    const { conflicts } = await sync("pull");
    expect(conflicts).toEqual([{ what: key, why: expect.stringContaining("never change") }]);
    expect(await textOf(local, key)).toBe(fixtureTrial(runId, 0).task.hash);
  });
});

test("what was copied while it was being written is copied again, until it is whole", async () => {
  const part = objectKeys.snapshotPart("prod", "snap_1", 0);
  await cloud.objects.put(part, Buffer.from("first"));
  await sync("pull");
  await cloud.objects.put(part, Buffer.from("other"));
  await sync("pull");
  expect(await textOf(local, part)).toBe("other");
  await cloud.objects.put(objectKeys.snapshotManifest("prod", "snap_1"), Buffer.from("{}"));
  await sync("pull");
  expect((await sync("pull")).counts).toMatchObject({ same: 2, replaced: 0 });
});

test("cursors of the sources come along", async () => {
  await cloud.objects.put(objectKeys.snapshotManifest("prod", "snap_1"), Buffer.from("{}"));
  await cloud.records.put(recordKeys.cursor("prod"), { snapshotId: "snap_1" }, "absent");
  await sync("pull");
  expect(await local.records.get(recordKeys.cursor("prod"))).toMatchObject({
    data: { snapshotId: "snap_1" },
  });
});

test("Ctrl-C ends it between two objects", async () => {
  await aRun(cloud);
  await expect(sync("pull", {}, AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
});

describe("a sync that is killed", () => {
  /** A store whose process dies at its n-th write: that one and all later ones do not happen. */
  const dying = (stores: Stores, writes: number): Stores => {
    let left = writes;
    const live = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        left -= 1;
        if (left < 0) throw new Error("killed");
        return work(...args);
      };
    };
    return {
      objects: {
        ...stores.objects,
        put: live(stores.objects.put),
        putIfAbsent: live(stores.objects.putIfAbsent),
      },
      records: { ...stores.records, put: live(stores.records.put) },
    };
  };

  test("at any write, and once more at another, is finished by the next one, changes in between included", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(40), fc.nat(40), async (first, second) => {
        cloud = { objects: memoryObjectStore(), records: memoryRecordStore() };
        local = { objects: memoryObjectStore(), records: memoryRecordStore() };
        await aRun(cloud, 3);
        const attempt = (writes: number) => {
          const to = dying(local, writes);
          const ledger = syncLedger(to.records, "dev");
          return syncHomes({ from: cloud, to, ledger, dryRun: false }, context()).catch(() => undefined);
        };
        await attempt(first);
        await cloud.objects.put(objectKeys.runSummary(runId), Buffer.from("summary 2"));
        await cloud.records.put(
          recordKeys.run(runId),
          { ...row, status: "finished", finishedAt: row.createdAt },
          "any",
        );
        await attempt(second);
        const last = await sync("pull");
        expect(last.conflicts).toEqual([]);
        expect(await contents(local, runId)).toEqual(await contents(cloud, runId));
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  test("never leaves a row without the objects that it names", async () => {
    for (let writes = 0; writes < 40; writes += 1) {
      cloud = { objects: memoryObjectStore(), records: memoryRecordStore() };
      local = { objects: memoryObjectStore(), records: memoryRecordStore() };
      await aRun(cloud, 3);
      const to = dying(local, writes);
      const ledger = syncLedger(to.records, "dev");
      await syncHomes({ from: cloud, to, ledger, dryRun: false }, context()).catch(() => undefined);
      if ((await local.records.get(recordKeys.run(runId))) === undefined) continue;
      expect(await contents(local, runId)).toEqual(await contents(cloud, runId));
    }
  });
});
