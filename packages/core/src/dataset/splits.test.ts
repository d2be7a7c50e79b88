import fc from "fast-check";
import { expect, test } from "vitest";
import { assertShares, splitOf } from "./splits.ts";

const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 5 });

/** Shares that add up to 1 but for rounding. */
const anySplits = names.chain((keys) =>
  fc
    .array(fc.integer({ min: 1, max: 1_000 }), { minLength: keys.length, maxLength: keys.length })
    .map((weights) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return Object.fromEntries(keys.map((key, index) => [key, (weights[index] ?? 0) / total]));
    }),
);

test("all tasks of a group fall into one split, whatever other groups there are", () => {
  fc.assert(
    fc.property(anySplits, fc.integer(), fc.string(), (splits, seed, group) => {
      assertShares(splits);
      const split = splitOf(group, { splits, seed });
      expect(Object.keys(splits)).toContain(split);
      expect(splitOf(group, { splits, seed })).toBe(split);
    }),
  );
});

test("the shares of groups come near the shares asked for, for any seed", () => {
  const splits = { train: 0.8, val: 0.1, test: 0.1 };
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const counts: Record<string, number> = { train: 0, val: 0, test: 0 };
      for (let group = 0; group < 2_000; group += 1) {
        const split = splitOf(`group ${group}`, { splits, seed });
        counts[split] = (counts[split] ?? 0) + 1;
      }
      expect(counts.train).toBeGreaterThan(1_500);
      expect(counts.train).toBeLessThan(1_700);
      expect(counts.val).toBeGreaterThan(120);
      expect(counts.test).toBeGreaterThan(120);
    }),
    { numRuns: 20 },
  );
});

test("a larger train share only moves groups into train", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer(), (group, seed) => {
      const before = splitOf(group, { splits: { train: 0.5, test: 0.5 }, seed });
      const after = splitOf(group, { splits: { train: 0.7, test: 0.3 }, seed });
      if (before === "train") expect(after).toBe("train");
    }),
  );
});

test("another seed deals the groups anew", () => {
  const splits = { train: 0.5, test: 0.5 };
  const deal = (seed: number) =>
    Array.from({ length: 64 }, (_, group) => splitOf(`${group}`, { splits, seed }));
  expect(deal(1)).not.toEqual(deal(2));
});

test("the assignment is the one that earlier datasets were made with", () => {
  const splits = { train: 0.8, val: 0.1, test: 0.1 };
  const deal = Array.from({ length: 12 }, (_, group) => splitOf(`group-${group}`, { splits, seed: 7 }));
  expect(deal.join(" ")).toMatchInlineSnapshot(
    `"train test val train train train test train train train train val"`,
  );
});

test("a share of 0 gets nothing", () => {
  fc.assert(
    fc.property(fc.string(), (group) => {
      expect(splitOf(group, { splits: { none: 0, train: 1, never: 0 }, seed: 0 })).toBe("train");
    }),
  );
});

test.each([{}, { train: 0.8 }, { train: 0.8, test: 0.3 }, { train: 1.5, test: -0.5 }])(
  "shares %j are refused, naming the field",
  (splits) => {
    expect(() => assertShares(splits as Record<string, number>)).toThrow(
      expect.objectContaining({ code: "invalid-spec", message: expect.stringContaining("export.splits") }),
    );
  },
);

test("shares that miss 1 by rounding alone are taken", () => {
  assertShares({ a: 0.1, b: 0.2, c: 0.7 });
  assertShares(Object.fromEntries(Array.from("abcdefghij", (name) => [name, 0.1])));
});

test("the order in which a spec names its splits changes nothing", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer(), (group, seed) => {
      const one = splitOf(group, { splits: { train: 0.5, val: 0.2, test: 0.3 }, seed });
      expect(splitOf(group, { splits: { test: 0.3, val: 0.2, train: 0.5 }, seed })).toBe(one);
    }),
  );
});
