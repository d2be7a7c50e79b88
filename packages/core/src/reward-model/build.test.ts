import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { type EpisodeFixture, foundEpisodes } from "../../../../test/fakes/episodes.ts";
import { datasetHashes, duckdb } from "../../../../test/fakes/exported.ts";
import { gather } from "../../../../test/fakes/gather.ts";
import { memoryScratch } from "../../../../test/fakes/memory-stores.ts";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { duckdbParquet } from "../../../local/src/duckdb-parquet.ts";
import { openObjectStore } from "../../../local/src/object-store.ts";
import { TracemillError } from "../errors.ts";
import { collect } from "../streams.ts";
import { RunBudget } from "../trial/budget.ts";
import { type BuildDeps, buildRewardModelData } from "./build.ts";
import { PageLabeler } from "./labels/labeler.ts";
import { type RewardModelManifest, RewardModelSpec } from "./manifest.ts";

const fixtures: EpisodeFixture[] = Array.from({ length: 60 }, (_, at) => ({
  id: `e${String(at).padStart(2, "0")}`,
  task: `t${at % 20}`,
  website: `w${at % 10}.test`,
  score: at % 3 === 0 ? 1 : 0.25,
  checks: [{ name: "dom:buy_clicked", value: "#buy", passed: at % 2 === 0 }],
}));

async function world() {
  const dir = await tempDir();
  const objects = openObjectStore(`${dir.path}/objects`);
  const deps: BuildDeps = { objects, scratch: memoryScratch(), parquet: duckdbParquet(`${dir.path}/tmp`) };
  const build = async (
    all: Iterable<EpisodeFixture>,
    options: object = {},
    more: Partial<BuildDeps> = {},
  ) => {
    const spec = RewardModelSpec.parse({ name: "shop", ...options });
    const inputs = [{ kind: "files" as const, path: "eps.jsonl" }];
    const request = { spec, inputs, found: foundEpisodes(all) };
    return (await buildRewardModelData(request, { ...deps, ...more })).manifest;
  };
  const rows = async (manifest: RewardModelManifest, table: string, split: string) => {
    const key = `datasets/${manifest.name}/${manifest.version}/jsonl/${table}/${split}.jsonl`;
    const body = await objects.get(key);
    const text = body === undefined ? "" : (await collect(body)).toString("utf8");
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { dir: dir.path, objects, build, rows, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

const splits = ["train", "val", "test"];

describe("reward-model data", () => {
  test("has its tables, whole, with the counts and checks of its episodes", async () => {
    await using w = await world();
    const manifest = await w.build(fixtures);
    const total = (table: string) =>
      Object.values(manifest.counts[table] ?? {}).reduce((sum, { rows }) => sum + rows, 0);
    expect(["episodes", "finals", "observations", "steps"].map(total)).toEqual([60, 60, 120, 120]);
    expect(total("pairs")).toBe(manifest.pairs.task + manifest.pairs.website);
    expect(manifest.pairs.task).toBeGreaterThan(0);
    expect(manifest.episodes).toMatchObject({
      kept: 60,
      successes: 20,
      withBrowser: 60,
      duplicates: 0,
      putAside: {},
    });
    expect(manifest.checks).toEqual([
      { name: "dom:buy_clicked", agree: 30, claimedPassed: 0, claimedFailed: 30, unknown: 0, unclaimed: 0 },
    ]);
    const [episode] = (await gather(splitRows(w, manifest, "episodes"))).filter(
      ({ episode_id: id }) => id === "e01",
    );
    expect(episode).toMatchObject({
      task_id: "t1",
      y_success: 0,
      disagreements: 1,
      rechecks: [{ name: "dom:buy_clicked", claimed: false, found: { verdict: "holds", step: 0 } }],
    });
    const [step] = (await gather(splitRows(w, manifest, "steps"))).filter(({ rid }) => rid === "e01_1");
    expect(step).toMatchObject({
      action_type: "click",
      action_x: 3,
      action_y: 4,
      has_selector: 1,
      num_buttons: 1,
      num_inputs: 0,
      dom_length: "two Buy".length,
      y_success: 0,
    });
  });

  test("has no task, group or website in two splits, and no pair across them", async () => {
    await using w = await world();
    const manifest = await w.build(fixtures);
    expect(manifest.leakCheck).toEqual({
      ...{ groups: 10, groupsInSeveralSplits: 0, tasks: 20, tasksInSeveralSplits: 0 },
      ...{ websites: 10, websitesInSeveralSplits: 0 },
    });
    const seen = new Map<unknown, string>();
    for (const split of splits) {
      const ids = new Set((await w.rows(manifest, "observations", split)).map(({ rid }) => rid));
      for (const { task_id: task } of await w.rows(manifest, "finals", split)) {
        expect(seen.get(task) ?? split).toBe(split);
        seen.set(task, split);
      }
      for (const { pos_id: pos, neg_id: neg } of await w.rows(manifest, "pairs", split)) {
        expect(ids.has(pos) && ids.has(neg)).toBe(true);
      }
    }
  });

  test("keeps every row in its split when the data grows", async () => {
    await using w = await world();
    const splitOf = async (manifest: RewardModelManifest) => {
      const pairs = await Promise.all(
        splits.map(async (split) =>
          (await w.rows(manifest, "episodes", split)).map(({ episode_id: id }) => [id, split] as const),
        ),
      );
      return new Map(pairs.flat());
    };
    const before = await splitOf(await w.build(fixtures.slice(0, 30)));
    const after = await splitOf(await w.build([...fixtures].reverse()));
    expect(before.size).toBe(30);
    for (const [id, split] of before) expect(after.get(id)).toBe(split);
  });

  test("is the same to the byte for the same input, and another version for another", async () => {
    await using one = await world();
    await using other = await world();
    const manifest = await one.build(fixtures);
    await other.build(fixtures);
    expect(await datasetHashes(other.objects)).toEqual(await datasetHashes(one.objects));
    expect((await one.build(fixtures)).version).toBe(manifest.version);
    const versions = [
      await one.build(fixtures, { seed: 1 }),
      await one.build(fixtures, { pairs: 3 }),
      await one.build(fixtures.slice(1)),
    ].map(({ version }) => version);
    expect(new Set([manifest.version, ...versions]).size).toBe(4);
  });

  test("is read by DuckDB from its Parquet files", async () => {
    await using w = await world();
    const { name, version } = await w.build(fixtures);
    const data = `${w.dir}/objects/datasets/${name}/${version}/data`;
    const [counts] = await duckdb(
      `select count(*) as n, sum(y_success) as good, max(len(url_tokens)) as tokens from read_parquet('${data}/observations/*') join read_parquet('${data}/finals/*') using (episode_id)`,
    );
    expect(counts).toEqual({ n: "120", good: "40", tokens: "4" });
  });

  test("leads every row to where its episode came from", async () => {
    await using w = await world();
    const manifest = await w.build(fixtures.slice(0, 2));
    const body = await w.objects.get(`datasets/${manifest.name}/${manifest.version}/lineage.jsonl`);
    const lines = (await collect(body ?? (async function* () {})()))
      .toString("utf8")
      .split("\n")
      .filter(Boolean);
    const rows = Object.values(manifest.counts).flatMap((bySplit) => Object.values(bySplit ?? {}));
    expect(lines).toHaveLength(rows.reduce((sum, { rows: n }) => sum + n, 0));
    expect(lines.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({
        table: "steps",
        row_id: "e01_1",
        origin: { kind: "file", file: "eps.jsonl", line: 2 },
      }),
    );
  });

  test("has the last of episodes with one id, and says that there were others", async () => {
    await using w = await world();
    const manifest = await w.build([...fixtures, { id: "e00", task: "t0", website: "w0.test", score: 0.75 }]);
    expect(manifest.episodes).toMatchObject({ kept: 60, duplicates: 1 });
    const [final] = (await gather(splitRows(w, manifest, "finals"))).filter(({ rid }) => rid === "e00_1");
    expect(final).toMatchObject({ final_score: 0.75 });
  });

  test("of nothing is an empty dataset", async () => {
    await using w = await world();
    const manifest = await w.build([]);
    expect(manifest).toMatchObject({ episodes: { kept: 0 }, pairs: { task: 0, website: 0 } });
  });

  test("refuses shares that do not add up, and stops on request", async () => {
    await using w = await world();
    await expect(w.build(fixtures, { splits: { train: 0.5 } })).rejects.toMatchObject({
      code: "invalid-spec",
    });
    const signal = AbortSignal.abort();
    await expect(w.build(fixtures, {}, { signal })).rejects.toMatchObject({ code: "cancelled" });
  });
});

test("labels stand with their observations; where there is none, the reason does", async () => {
  await using w = await world();
  const label = {
    ...{ page_type: "form", goal_progress: 1, nav_depth: 0, item_count: 0, price_present: false },
    ...{ pagination_state: "none", salient_entities: [], is_on_wrong_product: false, confidence: 1 },
    affordances: {
      ...{
        can_go_back: true,
        can_search: true,
        can_filter: true,
        can_add_to_cart: true,
        can_submit_form: true,
      },
    },
  };
  const { signal } = new AbortController();
  let asked = 0;
  const complete = async ({ messages }: { messages: readonly { content: string }[] }) => {
    asked += 1;
    if (messages[1]?.content.includes("w0.test/0")) throw new TracemillError("model-failed", "busy");
    return { text: JSON.stringify(label), toolCalls: [], finish: "stop" as const };
  };
  const labelerOf = () => {
    const model = { model: "acme/labeler", complete };
    const deps = { model, objects: w.objects, clock: fakeClock(), budget: new RunBudget({}, 0), signal };
    return { labels: { labeler: new PageLabeler(deps), concurrency: 3 } };
  };
  const manifest = await w.build(fixtures.slice(0, 10), {}, labelerOf());
  expect(manifest.labels).toEqual({ model: "acme/labeler", labelled: 19, missing: { "model-failed": 1 } });
  const rows = await gather(splitRows(w, manifest, "observations"));
  expect(rows.find(({ rid }) => rid === "e00_0")).toMatchObject({ label_missing: "model-failed" });
  expect(rows.find(({ rid }) => rid === "e00_0")).not.toHaveProperty("label");
  expect(rows.find(({ rid }) => rid === "e01_0")).toMatchObject({ label, label_missing: null });
  const again = await w.build(fixtures.slice(0, 10), {}, labelerOf());
  expect(again.version).toBe(manifest.version);
  expect(asked).toBe(21);
});

async function* splitRows(
  w: Awaited<ReturnType<typeof world>>,
  manifest: RewardModelManifest,
  table: string,
) {
  for (const split of splits) yield* await w.rows(manifest, table, split);
}
