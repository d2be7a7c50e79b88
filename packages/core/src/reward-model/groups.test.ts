import fc from "fast-check";
import { expect, test } from "vitest";
import { type EpisodeFixture, wholeEpisode } from "../../../../test/fakes/episodes.ts";
import { EpisodeGroups, type GroupBy } from "./groups.ts";

function groupsOf(fixtures: readonly EpisodeFixture[], by: GroupBy): Map<string, string> {
  const groups = new EpisodeGroups(by);
  const episodes = fixtures.map(wholeEpisode);
  for (const episode of episodes) groups.add(episode);
  return new Map(episodes.map((episode) => [episode.episode_id, groups.groupOf(episode)]));
}

const name = (prefix: string) =>
  fc.option(
    fc.nat(4).map((n) => `${prefix}${n}`),
    { nil: undefined },
  );
const fixtures = fc
  .array(fc.record({ task: name("t"), website: name("w"), group: name("g") }), { maxLength: 12 })
  .map((all) => all.map((one, at): EpisodeFixture => ({ id: `e${at}`, ...JSON.parse(JSON.stringify(one)) })));

test("episodes that share a task, a declared group or a website share their group", () => {
  fc.assert(
    fc.property(fixtures, fc.constantFrom<GroupBy>("website", "task"), (all, by) => {
      const groups = groupsOf(all, by);
      const keys = by === "website" ? (["task", "group", "website"] as const) : (["task", "group"] as const);
      for (const one of all) {
        for (const other of all) {
          const joined = keys.some((key) => one[key] !== undefined && one[key] === other[key]);
          if (joined) expect(groups.get(one.id)).toBe(groups.get(other.id));
        }
      }
    }),
  );
});

test("neither order nor what it is not joined to changes an episode's group", () => {
  fc.assert(
    fc.property(fixtures, fixtures, (all, more) => {
      const before = groupsOf(all, "website");
      const unrelated = more.map(
        ({ id, task, website, group }): EpisodeFixture => ({
          id: `x${id}`,
          ...(task === undefined ? {} : { task: `x${task}` }),
          ...(website === undefined ? {} : { website: `x${website}` }),
          ...(group === undefined ? {} : { group: `x${group}` }),
        }),
      );
      const after = groupsOf([...unrelated, ...all.toReversed()], "website");
      for (const [id, group] of before) expect(after.get(id)).toBe(group);
    }),
  );
});

test("an episode without a website goes with its task's other episodes", () => {
  const groups = groupsOf(
    [
      { id: "trial", task: "t1" },
      { id: "row", task: "t1", website: "shop.test" },
      { id: "other", task: "t2", website: "shop.test" },
      { id: "alone" },
    ],
    "website",
  );
  expect(groups.get("trial")).toBe(groups.get("other"));
  expect(new Set(groups.values()).size).toBe(2);
});

test("grouped by task, a website's tasks are apart", () => {
  const shop = [
    { id: "a", task: "t1", website: "shop.test" },
    { id: "b", task: "t2", website: "shop.test" },
  ];
  expect(new Set(groupsOf(shop, "task").values()).size).toBe(2);
  expect(new Set(groupsOf(shop, "website").values()).size).toBe(1);
});
