import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  allFormats,
  datasetHashes,
  datasetRows,
  datasetText,
  duckdb,
  exportRun,
  splits,
  storesWith,
} from "../../../../test/fakes/exported.ts";
import { type TempDir, tempDir } from "../../../../test/fakes/temp-dir.ts";
import { sha256Hex } from "../ids.ts";
import { collect } from "../streams.ts";
import { LineageRow } from "./lineage.ts";
import { DatasetManifest } from "./manifest.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

describe("files", () => {
  test("the Parquet files of all splits have one schema, the empty ones too", async () => {
    const deps = await storesWith(dir.path, { trials: 3 });
    const manifest = await exportRun(allFormats, deps);
    const folder = join(dir.path, "objects/datasets/forms", manifest.version);
    for (const format of ["sft", "harbor", "trials"]) {
      const schemas = await Promise.all(
        Object.keys(splits).map((split) =>
          duckdb(
            `SELECT column_name, column_type FROM (DESCRIBE FROM '${folder}/data/${format}/${split}-*.parquet')`,
          ),
        ),
      );
      expect(schemas[1]).toEqual(schemas[0]);
      expect(schemas[2]).toEqual(schemas[0]);
    }
  });

  test("Parquet and JSONL hold the same rows", async () => {
    const deps = await storesWith(dir.path, { trials: 20 });
    const manifest = await exportRun(allFormats, deps);
    const folder = join(dir.path, "objects/datasets/forms", manifest.version);
    const parquet = await duckdb(
      `SELECT row_id, len(messages)::INTEGER AS n, messages[3].tool_calls[1].function.name AS tool, tools FROM '${folder}/data/sft/*.parquet' ORDER BY row_id`,
    );
    const lines = (await datasetRows(deps.objects, manifest, "sft")) as {
      row_id: string;
      messages: { tool_calls?: { function: { name: string } }[] }[];
      tools?: unknown;
    }[];
    const expected = lines.map(({ row_id, messages, tools }) => ({
      row_id,
      n: messages.length,
      tool: messages[2]?.tool_calls?.[0]?.function.name ?? null,
      tools: tools === undefined ? null : JSON.stringify(tools),
    }));
    expect(parquet).toEqual(expected.toSorted((a, b) => (a.row_id < b.row_id ? -1 : 1)));
  });

  test("large splits are cut into numbered files that keep the order", async () => {
    const deps = await storesWith(dir.path, { trials: 20 });
    const manifest = await exportRun({ name: "d", formats: ["trials"], shardBytes: 4_000 }, deps);
    const parquet = manifest.files.filter(({ path }) => path.endsWith(".parquet"));
    const count = String(parquet.length).padStart(5, "0");
    expect(parquet.length).toBeGreaterThan(2);
    expect(parquet.map(({ path }) => path)).toEqual(
      parquet.map((_, index) => `data/trials/train-${String(index).padStart(5, "0")}-of-${count}.parquet`),
    );
    expect(parquet.reduce((sum, { rows = 0 }) => sum + rows, 0)).toBe(20);
    const folder = join(dir.path, "objects/datasets/d", manifest.version);
    const ids = await duckdb(`SELECT trial_id FROM read_parquet('${folder}/data/trials/*.parquet')`);
    const lines = await datasetRows(deps.objects, manifest, "trials");
    expect(ids.map(({ trial_id }) => trial_id)).toEqual(lines.map(({ trial_id }) => trial_id));
  });

  test("the manifest parses, and names the hash of every other file", async () => {
    const deps = await storesWith(dir.path, { trials: 20 });
    const manifest = await exportRun(allFormats, deps);
    expect(
      DatasetManifest.parse(JSON.parse(await datasetText(deps.objects, manifest, "manifest.json"))),
    ).toEqual(manifest);
    const prefix = `datasets/forms/${manifest.version}/`;
    const stored = await datasetHashes(deps.objects);
    const named = manifest.files.map(({ path, sha256 }) => [`${prefix}${path}`, sha256]);
    delete stored[`${prefix}manifest.json`];
    expect(Object.fromEntries(named)).toEqual(stored);
  });

  test("no group is in two splits, and the manifest says so", async () => {
    const deps = await storesWith(dir.path, { trials: 120 });
    const manifest = await exportRun(allFormats, deps);
    const splitsOf = new Map<unknown, Set<string>>();
    for (const split of Object.keys(splits)) {
      const lines = (await datasetText(deps.objects, manifest, `jsonl/trials/${split}.jsonl`))
        .split("\n")
        .filter(Boolean);
      for (const line of lines) {
        const { group } = JSON.parse(line);
        splitsOf.set(group, (splitsOf.get(group) ?? new Set()).add(split));
      }
    }
    expect([...splitsOf.values()].every((set) => set.size === 1)).toBe(true);
    expect(manifest.leakCheck).toMatchObject({ groups: splitsOf.size, groupsInSeveralSplits: 0 });
  });

  test("lineage leads from each row to its attempt, its task and its snapshot", async () => {
    const deps = await storesWith(dir.path, { trials: 12 });
    const manifest = await exportRun(allFormats, deps);
    const lines = (await datasetText(deps.objects, manifest, "lineage.jsonl")).split("\n").filter(Boolean);
    const lineage = lines.map((line) => LineageRow.parse(JSON.parse(line)));
    const sft = await datasetRows(deps.objects, manifest, "sft");
    for (const row of sft) {
      const found = lineage.find(({ format, row_id }) => format === "sft" && row_id === row.row_id);
      const body = await deps.objects.get(found?.result_key ?? "absent");
      expect(body && sha256Hex(await collect(body))).toBe(found?.result_sha256);
      expect(found?.origin).toMatchObject({ kind: "snapshot", snapshotId: "snap_1" });
    }
    expect(lineage).toHaveLength(12 + 2 * sft.length);
    expect(manifest.lineage).toMatchObject({
      trials: 12,
      tasks: 4,
      snapshots: [{ source: "prod", snapshotId: "snap_1", trials: 12 }],
    });
  });

  test("the card's front matter has a config and the features of each format", async () => {
    const deps = await storesWith(dir.path, { trials: 60 });
    const manifest = await exportRun(allFormats, deps);
    const card = await datasetText(deps.objects, manifest, "README.md");
    const front = parse(card.split("---\n")[1] ?? "");
    expect(front.configs).toMatchObject([
      {
        config_name: "sft",
        default: true,
        data_files: [{ split: "train", path: "data/sft/train-*" }, {}, {}],
      },
      { config_name: "harbor" },
      { config_name: "trials" },
    ]);
    expect(front.dataset_info[0].features[2]).toEqual({ name: "tools", dtype: "string" });
    expect(front.dataset_info[0].splits[0].num_examples).toBe(manifest.counts.sft?.train?.rows);
    expect(card).toContain("60 ended trials of 20 tasks");
  });

  test("the card names no split without rows, which `datasets` could not load", async () => {
    const deps = await storesWith(dir.path, { trials: 3 });
    const manifest = await exportRun({ ...allFormats, minReward: 0.9 }, deps);
    const card = await datasetText(deps.objects, manifest, "README.md");
    const { configs } = parse(card.split("---\n")[1] ?? "");
    const rows = Object.entries(manifest.counts.sft ?? {}).filter(([, count]) => count.rows > 0);
    expect(configs[0].data_files.map(({ split }: { split: string }) => split)).toEqual(
      rows.map(([name]) => name),
    );
    expect(rows).toHaveLength(1);
    const none = await exportRun({ ...allFormats, minReward: 2 }, deps);
    const emptyCard = await datasetText(deps.objects, none, "README.md");
    expect(parse(emptyCard.split("---\n")[1] ?? "").configs).toMatchObject([{ config_name: "trials" }]);
  });

  test("a run without ended trials gives a whole, empty dataset", async () => {
    const deps = await storesWith(dir.path, { trials: 0, open: 2 });
    const manifest = await exportRun(allFormats, deps);
    expect(manifest.counts.sft?.train).toEqual({ rows: 0, bytes: 0 });
    expect(manifest.leftOut.notEnded).toBe(2);
  });
});
