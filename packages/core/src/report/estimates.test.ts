import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clusteredMean, comparePaired, passRates, solvedTasks } from "./estimates.ts";
import type { Cell } from "./task-table.ts";

/** A task's rewards as they are summed up. */
const cell = (...rewards: number[]): Cell => ({
  n: rewards.length,
  sum: rewards.reduce((sum, reward) => sum + reward, 0),
  passes: rewards.filter((reward) => reward === 1).length,
});

describe("the standard error of a mean", () => {
  // By inspect_ai 0.3.285: `stderr(cluster=…)`, whose `_clustered_stderr` was given the same lists.
  test.each([
    [[[1, 0, 1], [0, 0], [1]], 0.25],
    [[[0.5, 0.25], [1, 1, 0], [0, 0, 0.1], [0.7]], 0.17849079693006972],
    [
      [
        [1, 1],
        [0, 0],
      ],
      0.5,
    ],
  ])("takes the trials of a task together, as Inspect AI does: %j", (rewards, stderr) => {
    expect(clusteredMean(rewards.map((each) => cell(...each)))?.stderr).toBeCloseTo(stderr, 14);
  });

  test("of one trial a task is the usual one", () => {
    const rewards = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(rewards, (values) => {
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
        const found = clusteredMean(values.map((value) => cell(value)));
        expect(found?.stderr).toBeCloseTo(Math.sqrt(variance / values.length), 9);
      }),
    );
  });

  test("is not made up for one task, and there is no mean of nothing", () => {
    expect(clusteredMean([cell(1, 0)])).toEqual({ n: 2, tasks: 1, mean: 0.5 });
    expect(clusteredMean([cell(), cell()])).toBeUndefined();
  });
});

describe("pass@k", () => {
  test("is of the tasks that have k samples, and says of how many", () => {
    expect(passRates([cell(1, 0), cell(0, 0), cell(1), cell()])).toEqual([
      { k: 1, value: 0.5, tasks: 3 },
      { k: 2, value: 0.5, tasks: 2 },
    ]);
  });

  test("comes with the tasks that are always, sometimes and never solved; those without a reward are none", () => {
    expect(solvedTasks([cell(1, 1), cell(1, 0), cell(0), cell()])).toEqual({
      always: 1,
      sometimes: 1,
      never: 1,
    });
  });
});

describe("comparing two agents", () => {
  test("is paired by task, and leaves out tasks where one of them has no reward", () => {
    const a = [cell(1, 1), cell(1, 0), cell(), cell(0)];
    const b = [cell(0), cell(0.5), cell(1), cell(1)];
    const found = comparePaired(["a", a], ["b", b]);
    expect(found).toMatchObject({ a: "a", b: "b", tasks: 3, difference: 0, better: 1, equal: 1, worse: 1 });
    expect(found?.stderr).toBeCloseTo(Math.sqrt(1 / 3), 12);
    expect(comparePaired(["a", [cell(1)]], ["b", [cell()]])).toBeUndefined();
  });
});
