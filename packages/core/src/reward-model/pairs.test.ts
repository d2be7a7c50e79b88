import fc from "fast-check";
import { expect, test } from "vitest";
import { type EpisodeFixture, wholeEpisode } from "../../../../test/fakes/episodes.ts";
import { gather } from "../../../../test/fakes/gather.ts";
import { memoryScratch } from "../../../../test/fakes/memory-stores.ts";
import { type Pair, PairMaker, type PairOptions } from "./pairs.ts";

async function pairsOf(
  fixtures: readonly (EpisodeFixture & { source?: string })[],
  options: Partial<PairOptions> = {},
): Promise<Pair[]> {
  await using maker = await PairMaker.open({ most: 100, recent: 3, seed: 0, ...options }, memoryScratch());
  for (const fixture of fixtures) {
    await maker.add(wholeEpisode(fixture), {
      split: fixture.group ?? "train",
      group: "g",
      source: fixture.source ?? "",
    });
  }
  return await gather(maker.pairs());
}

const key = ({ pos_id, neg_id }: Pair): string => `${pos_id} ${neg_id}`;

test("good steps are paired with bad ones of the same task, the last three of each episode", async () => {
  const pages = ["1", "2", "3", "4", "5"];
  const pairs = await pairsOf([
    { id: "good", task: "t", score: 0.51, pages },
    { id: "bad", task: "t", score: 0.5, pages },
    { id: "other", task: "u", score: 0, pages },
  ]);
  expect(pairs).toHaveLength(9);
  for (const pair of pairs) {
    expect(pair).toMatchObject({ scope: "task", task_id: "t", pos_score: 0.51, neg_score: 0.5 });
    expect(pair.pos_id).toMatch(/^good_[234]$/);
    expect(pair.neg_id).toMatch(/^bad_[234]$/);
  }
});

test("tasks that all ended alike are paired within their website, after the others", async () => {
  const pairs = await pairsOf([
    { id: "a", task: "mixed", website: "shop", score: 1, pages: ["1"] },
    { id: "b", task: "mixed", website: "shop", score: 0, pages: ["1"] },
    { id: "c", task: "easy", website: "shop", score: 1, pages: ["1"] },
    { id: "d", task: "hard", website: "shop", score: 0, pages: ["1"] },
    { id: "e", task: "elsewhere", website: "bank", score: 0, pages: ["1"] },
    { id: "f", score: 0, pages: ["1"] },
  ]);
  expect(pairs.map(({ scope, pos_id, neg_id }) => [scope, pos_id, neg_id])).toEqual([
    ["task", "a_0", "b_0"],
    ["website", "c_0", "d_0"],
  ]);
});

test("no pair reaches from one split into another", async () => {
  const website = "shop";
  const pairs = await pairsOf([
    { id: "a", task: "t1", website, score: 1, group: "train" },
    { id: "b", task: "t2", website, score: 0, group: "test" },
  ]);
  expect(pairs).toEqual([]);
});

const episodes = fc
  .array(fc.record({ task: fc.nat(5), score: fc.constantFrom(0, 0.5, 1), website: fc.nat(2) }), {
    maxLength: 30,
  })
  .map((all) =>
    all.map(({ task, score, website }, at) => ({
      id: `e${at}`,
      task: `t${task}`,
      score,
      website: `w${website}`,
    })),
  );

test("pairs are bounded, distinct, good against bad, and do not hang on the order of the episodes", async () => {
  await fc.assert(
    fc.asyncProperty(episodes, fc.integer({ min: 0, max: 40 }), async (all, most) => {
      const pairs = await pairsOf(all, { most });
      expect(pairs.length).toBeLessThanOrEqual(most);
      expect(new Set(pairs.map(key)).size).toBe(pairs.length);
      for (const { pos_score: good, neg_score: bad } of pairs) expect(good > 0.5 && bad <= 0.5).toBe(true);
      const again = await pairsOf(all.toReversed(), { most });
      expect(again.map(key).toSorted()).toEqual(pairs.map(key).toSorted());
    }),
    { numRuns: 30 },
  );
});

test("another seed takes other pairs, and every task has its share", async () => {
  const all = ["t0", "t1", "t2", "t3"].flatMap((task) =>
    [0, 1].flatMap((score) => [1, 2, 3, 4].map((n) => ({ id: `${task}-${score}-${n}`, task, score }))),
  );
  const [one, other] = [await pairsOf(all, { most: 20 }), await pairsOf(all, { most: 20, seed: 1 })];
  expect(one).toHaveLength(20);
  expect(other.map(key)).not.toEqual(one.map(key));
  for (const task of ["t0", "t1", "t2", "t3"])
    expect(one.filter(({ task_id: id }) => id === task)).toHaveLength(5);
});

test("two sources that number their tasks alike are never paired by that number", async () => {
  const pairs = await pairsOf([
    { id: "a", source: "books", task: "42", website: "books.test", score: 1, pages: ["1"] },
    { id: "b", source: "taxi", task: "42", website: "taxi.test", score: 0, pages: ["1"] },
  ]);
  expect(pairs).toEqual([]);
});
