import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MersenneTwister } from "./mersenne-twister.ts";

const golden = new URL("../../../../../test/fixtures/iwa/py_shuffle_seed1337_100.json", import.meta.url);

test("a list is shuffled as Python shuffles it after random.seed(1337)", () => {
  const ids = Array.from({ length: 100 }, (_, index) => `ep-${String(index).padStart(3, "0")}`);
  new MersenneTwister(1337).shuffle(ids);
  expect(ids).toEqual(JSON.parse(readFileSync(golden, "utf8")));
});

// Python 3.11: random.seed(s); [random.choice(range(n)) for n in (1, 2, 10, 1000, 2**31, 2**32 - 1)]
test.each([
  [0, [0, 1, 0, 265, 2087043557, 1739178872]],
  [1, [0, 0, 4, 120, 2127877499, 3268308804]],
  [-7, [0, 0, 6, 666, 207388624, 311111475]],
  [1337, [0, 0, 5, 392, 1545524063, 3958785211]],
  [4294967295, [0, 0, 9, 534, 1251276551, 2590083323]],
  [4294967296, [0, 1, 6, 957, 71624475, 98019085]],
  [9007199254740991, [0, 0, 3, 937, 633289196, 499576870]],
])("seed %d draws what Python draws", (seed, drawn) => {
  const random = new MersenneTwister(seed);
  expect([1, 2, 10, 1000, 2 ** 31, 2 ** 32 - 1].map((limit) => random.below(limit))).toEqual(drawn);
});

test("shuffling loses nothing, and the same seed gives the same order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.maxSafeNat(), (items, seed) => {
      const [one, other] = [[...items], [...items]];
      new MersenneTwister(seed).shuffle(one);
      new MersenneTwister(seed).shuffle(other);
      expect(other).toEqual(one);
      expect(one.toSorted((a, b) => a - b)).toEqual(items.toSorted((a, b) => a - b));
    }),
  );
});
