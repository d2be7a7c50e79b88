import { RunBudget } from "@tracemill/core/trial/budget.ts";
import { expect, test } from "vitest";
import { goOnWords } from "./go-on.ts";

const used = { promptTokens: 1_000, completionTokens: 10, cachedTokens: 0, costUsd: 2 };

test.each([{ tokens: 1_000 }, { costUsd: 1 }])("a run whose %j are used up is not gone on with", (caps) => {
  const budget = new RunBudget(caps, 0);
  budget.raiseTo(used);
  expect(goOnWords(budget.exceeded(1) ?? "", "tracemill resume run_1")).toContain("a higher `limits.run`");
});

test("time begins anew when a run is resumed; what was interrupted goes on", () => {
  const budget = new RunBudget({ time: 5 }, 0);
  const command = "tracemill resume run_1";
  expect(goOnWords(budget.exceeded(10) ?? "", command)).toBe(`go on with: ${command}`);
  expect(goOnWords("interrupted", command)).toBe(`go on with: ${command}`);
});
