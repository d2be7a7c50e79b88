import fc from "fast-check";
import { expect, test } from "vitest";
import { TimeSketch } from "./time-sketch.ts";

const sketchOf = (values: readonly number[]) => {
  const sketch = new TimeSketch();
  for (const value of values) sketch.add(value);
  return sketch;
};

test("quantiles are within 1 % of the value of that rank", () => {
  const durations = fc.array(fc.integer({ min: 1, max: 100_000_000 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
      const exact = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(q * values.length)) - 1] ?? 0;
      expect(Math.abs(sketchOf(values).quantile(q) - exact)).toBeLessThanOrEqual(0.0101 * exact);
    }),
  );
});

test("a clock that was set back makes no negative durations", () => {
  const sketch = sketchOf([-5_000, 0, 40]);
  expect(sketch.quantile(0.5)).toBe(0);
  expect(sketch).toMatchObject({ n: 3, max: 40 });
  expect(sketch.mean).toBeCloseTo(40 / 3);
});

test("without a sample there is nothing", () => {
  expect(sketchOf([])).toMatchObject({ n: 0, max: 0, mean: 0 });
  expect(sketchOf([]).quantile(0.9)).toBe(0);
});
