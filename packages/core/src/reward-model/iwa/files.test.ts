import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { gather } from "../../../../../test/fakes/gather.ts";
import { memoryScratch } from "../../../../../test/fakes/memory-stores.ts";
import { collectEpisodes } from "../collected.ts";
import { episodesOfLines } from "../read-files.ts";
import { type IwaOptions, iwaFiles } from "./files.ts";
import { labelCacheKey } from "./observation.ts";
import { cleanDom } from "./python-text.ts";

const golden = new URL("../../../../../test/fixtures/iwa/", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, golden), "utf8");
const episodeLines = read("data/inputs/reward_model/raw_evaluations/eps.jsonl").split("\n");

async function filesOf(
  texts: readonly string[],
  options: Partial<IwaOptions> = {},
): Promise<Map<string, string>> {
  const lines = async function* () {
    for (const [at, text] of texts.entries()) yield { file: "eps.jsonl", line: at + 1, text };
  };
  await using collected = await collectEpisodes(episodesOfLines(lines()), { scratch: memoryScratch() });
  const files = await gather(iwaFiles(collected, { seed: 1337, pairs: 100, ...options }));
  return new Map(files.map(({ path, body }) => [path, body]));
}

test.each(
  ["train", "val", "test"].flatMap((split) => [
    `splits/${split}.json`,
    `splits/semantic_${split}.json`,
    `features/${split}_finals.json`,
  ]),
)("%s is, byte for byte, what the original writes", async (path) => {
  const files = await filesOf(episodeLines);
  expect(files.get(path)).toBe(read(`data/inputs/reward_model/${path}`));
});

interface GoldenObservation {
  rid: string;
  obs: unknown;
  label_cache_key: string;
}

test("observations and the keys of their labels are those of the original", async () => {
  const files = await filesOf(episodeLines);
  const observations = JSON.parse(read("obs_public.json")) as GoldenObservation[];
  const pages = episodeLines.filter(Boolean).flatMap((line) => {
    const { episode_id: id, steps } = JSON.parse(line);
    return steps.map((step: { index: number; action_result: { browser_snapshot: object } }) => ({
      rid: `${id}_${step.index}`,
      ...step.action_result.browser_snapshot,
    }));
  });
  expect(observations.length).toBeGreaterThan(0);
  for (const { rid, obs, label_cache_key: key } of observations) {
    expect(JSON.parse(files.get(`features/${rid}.obs.json`) ?? "")).toEqual(obs);
    const page = pages.find((one) => one.rid === rid);
    expect(labelCacheKey(page.current_url, cleanDom(page.current_html))).toBe(key);
  }
  expect(files.get("features/ep-000_1.obs.json")).toBe(
    '{"url_tokens":["https","shop","test","p","0","x","0","top"],"dom_excerpt":"Café & Bar Buy now","dyn":{"url_changed":0.0,"stagnation":1.0,"iteration_norm":1.0},"action_prev":"click"}',
  );
});

test("an episode that comes again is the last one, at the place of the first", async () => {
  const again = JSON.stringify({ ...JSON.parse(episodeLines[0] ?? ""), final_score: 0.25 });
  const files = await filesOf([...episodeLines, again]);
  expect(files.get("splits/train.json")).toBe(read("data/inputs/reward_model/splits/train.json"));
  const finals = JSON.parse(files.get("features/train_finals.json") ?? "");
  expect(finals[1]).toMatchObject({ rid: "ep-000_1", y_success: 0, final_score: 0.25, tests_total: 2 });
});

test("a score of one half is no success", async () => {
  const half = JSON.stringify({ ...JSON.parse(episodeLines[0] ?? ""), final_score: 0.5 });
  const just = JSON.stringify({ ...JSON.parse(episodeLines[1] ?? ""), final_score: 0.5000001 });
  const files = await filesOf([half, just]);
  const finals = ["train", "val", "test"].flatMap((split) =>
    JSON.parse(files.get(`features/${split}_finals.json`) ?? ""),
  );
  expect(Object.fromEntries(finals.map(({ rid, y_success }) => [rid, y_success]))).toEqual({
    "ep-000_1": 0,
    "ep-001_1": 1,
  });
});

test("pairs are as many as asked for, good against bad, and the same for the same seed", async () => {
  const pairs = (await filesOf(episodeLines)).get("pairs/pairs.jsonl") ?? "";
  expect((await filesOf(episodeLines)).get("pairs/pairs.jsonl")).toBe(pairs);
  expect((await filesOf(episodeLines, { seed: 2 })).get("pairs/pairs.jsonl")).not.toBe(pairs);
  const good = ["ep-000", "ep-003", "ep-006", "ep-009"];
  const lines = pairs.split("\n").filter(Boolean);
  expect(lines).toHaveLength(100);
  for (const line of lines) {
    expect(line).toMatch(/^\{"pos_id": "ep-\d{3}_[01]", "neg_id": "ep-\d{3}_[01]"\}$/);
    const { pos_id: pos, neg_id: neg } = JSON.parse(line);
    expect(good).toContain(pos.slice(0, 6));
    expect(good).not.toContain(neg.slice(0, 6));
  }
});

test("without a bad episode there is nothing to prefer", async () => {
  const good = JSON.stringify({ ...JSON.parse(episodeLines[0] ?? ""), final_score: 1 });
  expect((await filesOf([good])).has("pairs/pairs.jsonl")).toBe(false);
});

test("an id that cannot be part of a file name gets one that can", async () => {
  const strange = JSON.stringify({ ...JSON.parse(episodeLines[0] ?? ""), episode_id: "../../etc/passwd" });
  const names = [...(await filesOf([strange])).keys()];
  expect(names.filter((name) => name.endsWith(".obs.json"))).toHaveLength(2);
  for (const name of names) expect(name).not.toContain("..");
});
