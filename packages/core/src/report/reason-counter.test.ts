import { expect, test } from "vitest";
import { ReasonCounter } from "./reason-counter.ts";

test("reasons that differ in numbers and ids alone are one, with the first as the example", () => {
  const counter = new ReasonCounter();
  counter.add("model-failed", "429 after 120 ms,\n request 0a1b2c3d4e5f", "t1");
  counter.add("environment-failed", "no space left", "t2");
  counter.add("model-failed", "429 after 7.5 ms, request ffffffff0000", "t3");
  expect(counter.top(5)).toEqual([
    { outcome: "model-failed", reason: "429 after 120 ms, request 0a1b2c3d4e5f", count: 2, trialId: "t1" },
    { outcome: "environment-failed", reason: "no space left", count: 1, trialId: "t2" },
  ]);
});

test("a flood of different reasons does not drown the frequent one", () => {
  const counter = new ReasonCounter();
  const letters = (n: number) =>
    n.toString(26).replaceAll(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)] ?? "");
  for (let index = 0; index < 10_000; index += 1) {
    counter.add("verifier-failed", `reason ${letters(index)}`, `t${index}`);
    if (index % 10 === 0) counter.add("model-failed", "503", `t${index}`);
  }
  expect(counter.top(1)).toMatchObject([{ reason: "503", count: 1_000 }]);
  expect(counter.top(10_000).length).toBeLessThanOrEqual(2_000);
});
