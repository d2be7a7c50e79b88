import { expect, test } from "vitest";
import { roughTokens } from "./rough-tokens.ts";

test("a guess counts texts, not files in base64, and survives any nesting", () => {
  expect(roughTokens({ a: "four", b: ["four"] })).toBe(2);
  expect(roughTokens({ image: "A".repeat(100_000) })).toBe(0);
  expect(roughTokens({ _cut: 4_000 })).toBe(1_000);
  const deep = "[".repeat(200_000) + "]".repeat(200_000);
  expect(roughTokens(JSON.parse(deep))).toBe(0);
});
