import {
  readChain,
  readOwnRows,
  readSnapshotRows,
  type SnapshotManifest,
} from "@tracemill/core/ingest/manifest.ts";
import type { IngestInput } from "@tracemill/core/ingest/options.ts";
import { type IngestDeps, ingestSnapshot } from "@tracemill/core/ingest/snapshot.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RawRow } from "@tracemill/core/production/schemas.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../fakes/clock.ts";
import { dyingFetch, dyingStores, type Stores } from "../fakes/dying.ts";
import { memoryObjectStore, memoryRecordStore } from "../fakes/memory-stores.ts";
import { seededRandom } from "../fakes/seeded-random.ts";
import { ChangingSource, type EntryStyle } from "../servers/changing-source.ts";

const day = 86_400_000;
const pageSize = 7;

interface World {
  source: ChangingSource;
  stores: Stores;
  clock: ReturnType<typeof fakeClock>;
  ingest(input?: Partial<IngestInput>, deps?: Partial<IngestDeps>): Promise<SnapshotManifest>;
}

/** A source of `count` tasks, and a place to mirror it to. */
function world(style: EntryStyle, seed: number, count: number): World {
  const source = new ChangingSource(style, seededRandom(seed));
  const stores = { objects: memoryObjectStore(), records: memoryRecordStore() };
  const clock = fakeClock("2026-01-01T01:00:00.000Z");
  for (let each = 0; each < count; each += 1) source.add();
  const ingest: World["ingest"] = (input = {}, deps = {}) =>
    ingestSnapshot(
      { baseUrl: "http://prod.test", taskPageSize: pageSize, ...input },
      { ...stores, clock, random: () => 0.5, fetch: source.fetch, token: "t", ...deps },
    );
  return { source, stores, clock, ingest };
}

type Content = Pick<RawRow, "task" | "solutions">;
type State = Record<string, Content>;

async function stateAsOf(objects: ObjectStore, snapshotId: string): Promise<State> {
  const rows = await Array.fromAsync(readSnapshotRows(objects, "prod", snapshotId));
  const state = Object.fromEntries(rows.map(({ task, solutions }) => [task.id, { task, solutions }]));
  expect(rows).toHaveLength(Object.keys(state).length);
  return state;
}

/**
 * What a mirror of the tasks with status `done` has to hold: those that have solutions, and those that were `done`
 * when it held them and have another status now.
 */
function expectedState({ tasks }: ChangingSource, before: State): State {
  const held = [...tasks.values()].filter(
    ({ task, solutions }) =>
      solutions.length > 0 && (task.status === "done" || before[task.id] !== undefined),
  );
  return structuredClone(Object.fromEntries(held.map((each) => [each.task.id, each as Content])));
}

/** Kills what it is at, now by refusing a request and now by failing a write, so often that all of it is hit. */
async function killedBefore({ source, stores, ingest }: World): Promise<void> {
  for (let kills = source.below(4); kills > 0; kills -= 1) {
    const dying =
      source.below(2) === 0
        ? { fetch: dyingFetch(source.below(40), source.fetch) }
        : dyingStores(stores, 1 + source.below(8), source.below(2) === 0);
    await ingest({}, dying).catch(() => undefined);
  }
}

interface Night {
  snapshotId: string;
  state: State;
}

/** One night: the clock moves, or jumps, and the source is mirrored, however often that is killed. */
async function mirrorNight(there: World, night: number, last: Night | undefined): Promise<Night> {
  const { source, stores, clock, ingest } = there;
  source.failing = night % 3 === 0 ? 0.3 : 0.02;
  clock.advance(night % 5 === 4 ? -3 * day : night % 7 === 6 ? 40 * day : day);
  await killedBefore(there);
  const { snapshotId, state: counted } = await ingest();
  if (last !== undefined) expect(last.snapshotId < snapshotId).toBe(true);
  const state = expectedState(source, last?.state ?? {});
  expect(await stateAsOf(stores.objects, snapshotId)).toEqual(state);
  const solutions = Object.values(state).reduce((sum, each) => sum + each.solutions.length, 0);
  expect(counted).toEqual({ tasks: Object.keys(state).length, solutions });
  return { snapshotId, state };
}

describe.each<EntryStyle>(["bare", "counted", "active", "summaries"])("a source with %s entries", (style) => {
  test.each([1, 2, 3])(
    "is mirrored exactly for 30 nights of faults, kills and clock jumps (seed %i)",
    async (seed) => {
      const there = world(style, seed, 30);
      const nights: Night[] = [];
      for (let night = 0; night < 30; night += 1) {
        nights.push(await mirrorNight(there, night, nights.at(-1)));
        // Some days bring nothing.
        if (night % 4 !== 3) there.source.day(1 + there.source.below(12));
      }
      const { objects } = there.stores;
      for (const { snapshotId, state } of nights) expect(await stateAsOf(objects, snapshotId)).toEqual(state);
      await expectNothingTwice(objects, nights.at(-1)?.snapshotId ?? "");
    },
  );
});

/** No snapshot has a row that the one before has as well, nor two of one task. */
async function expectNothingTwice(objects: ObjectStore, snapshotId: string): Promise<void> {
  const later = new Map<string, string>();
  for await (const manifest of readChain(objects, "prod", snapshotId)) {
    const own = new Set<string>();
    for await (const { task, solutions } of readOwnRows(objects, manifest)) {
      const text = JSON.stringify({ task, solutions });
      expect(own.has(task.id)).toBe(false);
      own.add(task.id);
      expect(later.get(task.id)).not.toBe(text);
      later.set(task.id, text);
    }
  }
}
