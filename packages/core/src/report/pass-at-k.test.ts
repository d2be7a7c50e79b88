import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { eligibleK, passAtK } from "./pass-at-k.ts";

interface Golden {
  formula: { n: number; c: number; k: number; p: number }[];
  eligible_k: Record<string, number[]>;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../../test/fixtures/harbor/pass_at_k.json", import.meta.url), "utf8"),
) as Golden;

test.each(golden.formula)("pass@$k of $c right ones among $n is Harbor's", ({ n, c, k, p }) => {
  expect(passAtK(n, c, k)).toBeCloseTo(p, 14);
});

test.each(Object.entries(golden.eligible_k))("the k for %s samples are Harbor's", (n, ks) => {
  expect(eligibleK(Number(n))).toEqual(ks);
});

test("pass@1 is the share of right ones, and more samples never lower the chance", () => {
  const counts = fc.integer({ min: 1, max: 60 }).chain((n) => fc.tuple(fc.constant(n), fc.nat(n)));
  fc.assert(
    fc.property(counts, ([n, c]) => {
      expect(passAtK(n, c, 1)).toBeCloseTo(c / n, 12);
      for (let k = 2; k <= n; k += 1)
        expect(passAtK(n, c, k)).toBeGreaterThanOrEqual(passAtK(n, c, k - 1) - 1e-12);
    }),
  );
});
