import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { datasetHashes } from "../../../../test/fakes/exported.ts";
import { memoryObjectStore, memoryScratch } from "../../../../test/fakes/memory-stores.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { ParquetEncoder } from "../ports/parquet.ts";
import { collect } from "../streams.ts";
import type { TableDefinition } from "./table-definition.ts";
import { type TableRow, type TablesRequest, writeTables } from "./tables.ts";
import { tablesCard } from "./tables-card.ts";
import { TablesManifest } from "./tables-manifest.ts";

const PairsManifest = z.strictObject({
  ...TablesManifest.shape,
  kind: z.literal("pairs"),
  episodes: z.number(),
});
type PairsManifest = z.infer<typeof PairsManifest>;

const episodes: TableDefinition = {
  name: "episodes",
  columns: { id: "VARCHAR", score: "DOUBLE", checks: "VARCHAR" },
  jsonColumns: ["checks"],
};
const pairs: TableDefinition = {
  name: "pairs",
  columns: { unit: "BIGINT", id: "VARCHAR" },
  unitColumn: "unit",
  parquetMetadata: { "it's a key": "it's a value" },
};

function row(table: string, id: string, more: Partial<TableRow> & { row?: object } = {}): TableRow {
  return {
    table,
    split: "train",
    lineage: { table, split: "train", row_id: id },
    ...more,
    row: { id, ...more.row },
  };
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

function request(rows: readonly TableRow[], shardBytes?: number): TablesRequest<PairsManifest> {
  const tables = [episodes, pairs];
  return {
    name: "pairs",
    version: "ver_1",
    tables,
    splits: ["train", "test"],
    ...(shardBytes === undefined ? {} : { shardBytes }),
    rows: each(rows),
    manifest: {
      schema: PairsManifest,
      of: (written) => ({
        schemaVersion: 1,
        name: "pairs",
        version: "ver_1",
        kind: "pairs",
        ...written,
        episodes: rows.length,
      }),
    },
    card: (manifest) =>
      tablesCard({ manifest, tables, intro: "Pairs of episodes.", sections: ["## Checks", "None."] }),
  };
}

/** Not Parquet: the lines as they came, under a head that names columns and metadata. */
const plain: ParquetEncoder = {
  async *encode(jsonl, schema, metadata = {}) {
    yield Buffer.from(`${JSON.stringify([Object.keys(schema), metadata])}\n`);
    yield* jsonl;
  },
};

function deps(objects: ObjectStore = memoryObjectStore()) {
  return { objects, scratch: memoryScratch(), parquet: plain };
}

async function textOf(objects: ObjectStore, path: string): Promise<string> {
  const body = await objects.get(`datasets/pairs/ver_1/${path}`);
  return body === undefined ? "" : (await collect(body)).toString("utf8");
}

const some = [
  row("episodes", "a", { row: { score: 1, checks: '{"x":1}' } }),
  row("pairs", "p"),
  row("episodes", "b", { split: "test", row: { score: null, checks: null } }),
  row("pairs", "q", { joinsPrevious: true }),
];

test("tables of any columns become a dataset with a manifest of its own kind", async () => {
  const objects = memoryObjectStore();
  const manifest = await writeTables(request(some), deps(objects));
  expect(manifest).toMatchObject({ kind: "pairs", episodes: 4 });
  expect(manifest.counts).toEqual({
    episodes: { train: { rows: 1, bytes: 42 }, test: { rows: 1, bytes: 38 } },
    pairs: { train: { rows: 2, bytes: 40 }, test: { rows: 0, bytes: 0 } },
  });
  expect(await textOf(objects, "jsonl/episodes/train.jsonl")).toBe('{"id":"a","score":1,"checks":{"x":1}}\n');
  expect(await textOf(objects, "jsonl/episodes/test.jsonl")).toBe('{"id":"b","score":null}\n');
  expect(await textOf(objects, "data/pairs/train-00000-of-00001.parquet")).toBe(
    '[["unit","id"],{"it\'s a key":"it\'s a value"}]\n{"id":"p","unit":0}\n{"id":"q","unit":0}\n',
  );
  const lineage = (await textOf(objects, "lineage.jsonl")).trimEnd().split("\n");
  expect(lineage.map((line) => JSON.parse(line).row_id)).toEqual(["a", "p", "b", "q"]);
  expect(JSON.parse(await textOf(objects, "manifest.json"))).toEqual(manifest);
  const card = await textOf(objects, "README.md");
  expect(parse(card.split("---\n")[1] ?? "")).toMatchObject({
    configs: [
      { config_name: "episodes", data_files: [{ split: "train" }, { split: "test" }] },
      { config_name: "pairs", data_files: [{ split: "train" }] },
    ],
  });
  expect(card).toContain("| pairs | train | 2 |");
  expect(card).toContain("## Checks");
});

test("a call that was killed after any write is finished by the same call to the same bytes", async () => {
  const whole = memoryObjectStore();
  await writeTables(request(some), deps(whole));
  const expected = await datasetHashes(whole);
  for (let survives = 0; survives < Object.keys(expected).length; survives += 1) {
    const objects = memoryObjectStore();
    let writes = 0;
    const putIfAbsent: ObjectStore["putIfAbsent"] = async (key, body) => {
      writes += 1;
      if (writes > survives) throw new Error("killed");
      return objects.putIfAbsent(key, body);
    };
    await expect(writeTables(request(some), deps({ ...objects, putIfAbsent }))).rejects.toThrow("killed");
    expect(await objects.head("datasets/pairs/ver_1/manifest.json")).toBeUndefined();
    await writeTables(request(some), deps(objects));
    expect(await datasetHashes(objects)).toEqual(expected);
  }
});

test("a dataset that is there is answered without reading a row", async () => {
  const objects = memoryObjectStore();
  const manifest = await writeTables(request(some), deps(objects));
  const unread = async function* (): AsyncGenerator<TableRow> {
    yield* [];
    throw new Error("no row is to be read");
  };
  expect(await writeTables({ ...request(some), rows: unread() }, deps(objects))).toEqual(manifest);
});

test("what reading the rows throws leaves no manifest, and a row of no table is a bug that shows", async () => {
  const objects = memoryObjectStore();
  await expect(writeTables(request([row("nowhere", "x")]), deps(objects))).rejects.toThrow("nowhere/train");
  expect(await datasetHashes(objects)).toEqual({});
});

test("rows that belong together are in one file, and their units are numbered from 0 in each", async () => {
  const units = fc.array(fc.array(fc.string({ maxLength: 60 }), { minLength: 1, maxLength: 4 }), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(units, fc.integer({ min: 1, max: 600 }), async (all, shardBytes) => {
      const rows = all.flatMap((unit, at) =>
        unit.map((text, index) => row("pairs", `${at}`, { row: { text }, joinsPrevious: index > 0 })),
      );
      const objects = memoryObjectStore();
      const { files } = await writeTables(request(rows, shardBytes), deps(objects));
      const seen = new Set<string>();
      let total = 0;
      for (const { path } of files.filter((file) => file.path.startsWith("data/pairs/train-"))) {
        const [, ...lines] = (await textOf(objects, path)).trimEnd().split("\n");
        const numbered = lines.map((line) => JSON.parse(line) as { unit: number; id: string });
        const ids = [...new Set(numbered.map(({ id }) => id))];
        expect(numbered.map(({ unit }) => unit)).toEqual(numbered.map(({ id }) => ids.indexOf(id)));
        for (const id of ids) {
          expect(seen.has(id)).toBe(false);
          seen.add(id);
        }
        total += numbered.length;
      }
      expect(total).toBe(rows.length);
    }),
    { numRuns: 50 },
  );
});
