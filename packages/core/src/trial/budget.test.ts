import { describe, expect, test } from "vitest";
import type { Limits } from "../run/spec.ts";
import { AttemptBudget, RunBudget } from "./budget.ts";

const used = (tokens: number, costUsd?: number) => ({
  promptTokens: tokens,
  completionTokens: 0,
  cachedTokens: 0,
  ...(costUsd === undefined ? {} : { costUsd }),
});

function budgetOf(limits: Partial<Limits>): AttemptBudget {
  const whole = { run: {}, ...limits };
  return new AttemptBudget(whole, new RunBudget(whole.run, 0), () => 1_000);
}

describe("an attempt's budget", () => {
  test("lets requests through until a cap is used up, and says which", () => {
    const budget = budgetOf({ tokens: 100 });
    expect(budget.admit()).toBeUndefined();
    budget.spend(used(99));
    expect(budget.admit()).toBeUndefined();
    budget.spend(used(1));
    const cap = { kind: "budget", reason: "100 tokens used, 100 allowed (`limits.tokens`)" };
    expect(budget.admit()).toEqual(cap);
    expect(budget.reached).toEqual(cap);
  });

  test("fails what is spent beyond a cap, and stays closed", () => {
    const budget = budgetOf({ costUsd: 1 });
    expect(() => budget.spend(used(1, 1.5))).toThrow("1.5000 USD used, 1 allowed (`limits.costUsd`)");
    expect(budget.reached).toMatchObject({ kind: "budget" });
    expect(budget.admit()).toMatchObject({ kind: "budget" });
  });

  test("counts turns; those that were refused are none", () => {
    const budget = budgetOf({ turns: 2 });
    expect([budget.admit(), budget.admit()]).toEqual([undefined, undefined]);
    expect(budget.admit()).toEqual({
      kind: "turns",
      reason: "it had not come to an end after 2 turns (`limits.turns`)",
    });
    expect(budget.admit()).toMatchObject({ kind: "turns" });
  });

  test("ends with the run's, which all attempts share", () => {
    const limits = { run: { tokens: 100 } };
    const run = new RunBudget(limits.run, 0);
    const [a, b] = [0, 1].map(() => new AttemptBudget(limits, run, () => 1_000));
    a?.spend(used(60));
    expect(() => b?.spend(used(60))).toThrow("120 tokens used, 100 allowed (`limits.run.tokens`)");
    expect(a?.admit()).toMatchObject({ kind: "budget" });
  });

  test("ends when the run's time is used up", () => {
    const limits = { run: { time: 500 } };
    const budget = new AttemptBudget(limits, new RunBudget(limits.run, 0), () => 1_000);
    expect(budget.admit()?.reason).toContain("limits.run.time");
  });
});
