import fc from "fast-check";
import { expect, test } from "vitest";
import { meanEstimate, RewardTally } from "./statistics.ts";

function estimate(rewards: readonly number[]) {
  const tally = new RewardTally();
  for (const reward of rewards) tally.add(reward);
  return meanEstimate(tally);
}

test("without rewards there is no mean, rather than a zero", () => {
  expect(estimate([])).toBeUndefined();
});

test("rewards of 0 and 1 get Wilson's interval", () => {
  const { mean, low, high } = estimate([...Array(8).fill(1), ...Array(2).fill(0)]) ?? {
    mean: 0,
    low: 0,
    high: 0,
  };
  expect([mean, low, high].map((value) => Number(value.toFixed(4)))).toEqual([0.8, 0.4902, 0.9433]);
});

test("other rewards get the normal approximation", () => {
  const { mean, low, high } = estimate([0.2, 0.4, 0.6, 0.8]) ?? { mean: 0, low: 0, high: 0 };
  expect([mean, low, high].map((value) => Number(value.toFixed(4)))).toEqual([0.5, 0.247, 0.753]);
});

test("the mean lies in its interval", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1 }), (rewards) => {
      const { mean = 0, low = 0, high = 0 } = estimate(rewards) ?? {};
      expect(low).toBeLessThanOrEqual(mean + 1e-9);
      expect(high).toBeGreaterThanOrEqual(mean - 1e-9);
    }),
  );
});
