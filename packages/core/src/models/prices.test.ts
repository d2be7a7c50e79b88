import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Usage } from "../run/trial.ts";
import { ModelPrice } from "./model-spec.ts";
import { priceTable } from "./price-table.ts";
import { costOf, pricedUsage, priceOf } from "./prices.ts";

const usage = (promptTokens: number, completionTokens: number, more: Partial<Usage> = {}): Usage => ({
  promptTokens,
  completionTokens,
  cachedTokens: 0,
  ...more,
});

describe("the price of a model", () => {
  test("is the table's, with the day as of which it holds", () => {
    expect(priceOf("openai/gpt-5.2")).toEqual({
      price: { input: 1.75, cachedInput: 0.175, output: 14 },
      from: "table",
      asOf: "2026-07-24",
    });
  });

  test.each([
    ["openai/gpt-5.2-2025-12-11", "openai/gpt-5.2"],
    ["anthropic/claude-haiku-4-5-20251001", "anthropic/claude-haiku-4-5"],
    ["bedrock/global.anthropic.claude-opus-4-5-20251101-v1:0", "anthropic/claude-opus-4-5"],
    ["bedrock/anthropic.claude-opus-4-6-v1", "anthropic/claude-opus-4-6"],
    ["bedrock/openai.gpt-oss-120b-1:0", "bedrock/openai.gpt-oss-120b"],
    ["bedrock/us.amazon.nova-pro-v1:0", "bedrock/amazon.nova-pro"],
    ["bedrock/anthropic.claude-opus-4-8", "bedrock/anthropic.claude-opus-4-8"],
  ])("under a dated or versioned name is its model's: %s", (name, model) => {
    expect(priceOf(name)?.price).toBeDefined();
    expect(priceOf(name)?.price.input).toBe(priceOf(model)?.price.input);
  });

  test("of one geography on Bedrock is a tenth higher since Claude 4.5, and was not before", () => {
    const profile =
      "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    expect(priceOf(`bedrock/${profile}`)?.price.output).toBeCloseTo(16.5, 10);
    expect(priceOf(`bedrock/${profile}`)?.price.longPrompt?.input).toBeCloseTo(6.6, 10);
    expect(priceOf("bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0")?.price.output).toBe(15);
  });

  test("of a dated name that has its own is its own", () => {
    expect(priceOf("openai/gpt-4o-2024-05-13")?.price.input).toBe(5);
    expect(priceOf("openai/gpt-4o-2024-11-20")?.price.input).toBe(2.5);
  });

  test.each([
    "openai/gpt-5.2-turbo",
    "openai/gpt-5.21",
    "ollama/gpt-5.2",
    "http://127.0.0.1:8000/v1#gpt-5.2",
    "openrouter/openai/gpt-5.2",
    "openai/constructor",
    "bedrock/",
  ])("is unknown for %s: it is no kin of what sounds alike", (name) => {
    expect(priceOf(name)).toBeUndefined();
  });

  test("is the user's own where they say one, also for models that no table has", () => {
    const prices = { "openai/gpt-5.2": { input: 1, output: 2 }, "vllm/m": { input: 0, output: 0 } };
    expect(priceOf("openai/gpt-5.2-2025-12-11", prices)).toEqual({
      price: { input: 1, output: 2 },
      from: "spec",
    });
    expect(priceOf("vllm/m", prices)?.price.input).toBe(0);
  });

  test("in the table is a price, read on a day, and caches are never dearer to read than to ask anew", () => {
    for (const [name, { asOf, regional = 1, ...price }] of Object.entries(priceTable)) {
      expect(ModelPrice.parse(price), name).toEqual(price);
      expect(asOf, name).toMatch(/^2026-\d{2}-\d{2}$/);
      expect(regional, name).toBeGreaterThanOrEqual(1);
      expect(price.cachedInput ?? 0, name).toBeLessThan(price.input);
      expect(price.output, name).toBeGreaterThanOrEqual(price.input);
    }
  });
});

describe("what an answer costs", () => {
  const price = { input: 3, cachedInput: 0.3, cacheWrite: 3.75, output: 15 };

  test("counts cached and newly cached tokens at their own price", () => {
    const used = usage(1_000_000, 100_000, { cachedTokens: 600_000, cacheWriteTokens: 200_000 });
    expect(costOf(price, used)).toBeCloseTo(0.2 * 3 + 0.6 * 0.3 + 0.2 * 3.75 + 1.5, 10);
  });

  test("counts them as input where no other price is known", () => {
    expect(costOf({ input: 2, output: 4 }, usage(1_000_000, 0, { cachedTokens: 500_000 }))).toBe(2);
  });

  test("is higher for all of a prompt that is long", () => {
    const tiered = { ...price, longPrompt: { above: 200_000, input: 6, output: 22.5 } };
    expect(costOf(tiered, usage(200_000, 1_000))).toBeCloseTo(0.6 + 0.015, 10);
    expect(costOf(tiered, usage(200_001, 1_000))).toBeCloseTo(1.200006 + 0.0225, 10);
  });

  test("is what the server says, before any table", () => {
    expect(pricedUsage(usage(10, 10, { costUsd: 0.5 }), price).costUsd).toBe(0.5);
    expect(pricedUsage(usage(10, 10), undefined)).not.toHaveProperty("costUsd");
  });

  test("is never negative, and more tokens never cost less", () => {
    const count = fc.integer({ min: 0, max: 2_000_000 });
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(priceTable)), count, count, count, (listed, a, b, c) => {
        const used = usage(a, b, { cachedTokens: Math.min(a, c) });
        const cost = costOf(listed, used);
        expect(cost).toBeGreaterThanOrEqual(0);
        expect(costOf(listed, { ...used, completionTokens: b + 1 })).toBeGreaterThan(cost);
        expect(costOf(listed, { ...used, promptTokens: a + 1 })).toBeGreaterThanOrEqual(cost);
      }),
    );
  });
});
