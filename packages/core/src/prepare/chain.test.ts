import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import { storeRawSnapshot } from "../../../../test/fakes/raw-snapshot.ts";
import { readSnapshotRows } from "../ingest/manifest.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { readPrepared } from "./catalog.ts";
import { changedTasks } from "./changed.ts";
import { prepareSnapshot } from "./prepare.ts";

const source = "prod";

const files = (words: number) => ({
  "task.toml": 'schema_version = "1.4"\n',
  "instruction.md": `Write ${words}.\n`,
  "tests/test.sh": "#!/bin/bash\necho 1 > /logs/verifier/reward.txt\n",
});

/** A row of a Harbor task: two with the same words are one and the same task. */
const rowOf = (id: number, words: number) => ({
  task: { id: `t${id}`, harbor: { files: files(words) } },
  solutions: [{ id: `s${id}-${words}`, answer: String(words) }],
});

interface Change {
  rows: { id: number; words: number }[];
  gone: number[];
}

const change = fc.record({
  rows: fc.uniqueArray(fc.record({ id: fc.nat(7), words: fc.nat(3) }), {
    selector: ({ id }) => id,
    maxLength: 5,
  }),
  gone: fc.uniqueArray(fc.nat(7), { maxLength: 2 }),
});

/** Stores snapshots that build on each other. @returns their ids, oldest first. */
async function storeChain(objects: ObjectStore, changes: readonly Change[]): Promise<string[]> {
  const ids: string[] = [];
  for (const [index, { rows, gone }] of changes.entries()) {
    const snapshotId = `snap_${index}`;
    const names = rows.map(({ id }) => id);
    const link =
      index === 0
        ? undefined
        : {
            parent: `snap_${index - 1}`,
            gone: gone.filter((id) => !names.includes(id)).map((id) => `t${id}`),
          };
    await storeRawSnapshot(
      objects,
      { source, snapshotId },
      rows.map(({ id, words }) => rowOf(id, words)),
      link,
    );
    ids.push(snapshotId);
  }
  return ids;
}

async function tasksIn(objects: ObjectStore, snapshotId: string) {
  const tasks = await Array.fromAsync(readPrepared(objects, source, snapshotId));
  return tasks.map(({ origin, ...task }) => ({
    ...task,
    taskId: origin.kind === "snapshot" && origin.taskId,
  }));
}

describe("preparing a snapshot that builds on others", () => {
  test("gives what preparing the same rows from one full snapshot gives, prepared night by night or at once", async () => {
    const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const [nightly, atOnce, whole] = [memoryObjectStore(), memoryObjectStore(), memoryObjectStore()];
      const clock = fakeClock();
      const last = (await storeChain(nightly, changes)).at(-1) ?? "";
      await storeChain(atOnce, changes);
      for (const index of changes.keys()) {
        await prepareSnapshot({ source, snapshotId: `snap_${index}` }, { objects: nightly, clock });
      }
      await prepareSnapshot({ source, snapshotId: last }, { objects: atOnce, clock });
      const state = await Array.fromAsync(readSnapshotRows(nightly, source, last));
      await storeRawSnapshot(whole, { source, snapshotId: last }, state);
      const manifest = await prepareSnapshot({ source, snapshotId: last }, { objects: whole, clock });
      for (const objects of [nightly, atOnce]) {
        expect(await tasksIn(objects, last)).toEqual(await tasksIn(whole, last));
        expect(await prepareSnapshot({ source, snapshotId: last }, { objects, clock })).toEqual(manifest);
      }
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test("turns only its own rows into tasks when the one before is prepared", async () => {
    const objects = memoryObjectStore();
    const base = Array.from({ length: 20 }, (_, id) => ({ id, words: id }));
    await storeChain(objects, [
      { rows: base, gone: [] },
      { rows: [{ id: 3, words: 100 }], gone: [4] },
    ]);
    const seen: number[] = [];
    const deps = { objects, clock: fakeClock(), onProgress: ({ rows }: { rows: number }) => seen.push(rows) };
    await prepareSnapshot({ source, snapshotId: "snap_0" }, deps);
    expect(seen).toHaveLength(20);
    seen.length = 0;
    const manifest = await prepareSnapshot({ source, snapshotId: "snap_1" }, deps);
    expect(seen).toEqual([1]);
    expect(manifest.counts).toMatchObject({ rows: 19, harbor: 19, references: 19 });
    const tasks = await Array.fromAsync(readPrepared(objects, source, "snap_1"));
    expect(tasks.map(({ origin }) => origin.kind === "snapshot" && origin.snapshotId)).toEqual([
      "snap_1",
      ...Array.from({ length: 18 }, () => "snap_0"),
    ]);
  });

  test("can give what is new and what has changed alone, each task once with all its solutions", async () => {
    const objects = memoryObjectStore();
    await storeChain(objects, [
      { rows: [{ id: 1, words: 1 }], gone: [] },
      {
        rows: [
          { id: 2, words: 2 },
          { id: 3, words: 2 },
        ],
        gone: [],
      },
    ]);
    const tasks = await Array.fromAsync(changedTasks({ source, snapshotId: "snap_1" }, { objects }));
    expect(tasks.map(({ references }) => references.map(({ solutionId }) => solutionId))).toEqual([
      ["s2-2", "s3-2"],
    ]);
  });
});
