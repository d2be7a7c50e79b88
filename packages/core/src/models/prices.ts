import type { Usage } from "../run/trial.ts";
import type { ModelPrice } from "./model-spec.ts";
import { type ListPrice, priceTable } from "./price-table.ts";

/** A model's price and where it is from: the run's `prices`, or the table, with the day as of which it holds. */
export type KnownPrice = { price: ModelPrice } & ({ from: "spec" } | { from: "table"; asOf: string });

export type PriceOverrides = Readonly<Record<string, ModelPrice>>;

const perToken = 1_000_000;

/**
 * What a model costs, by its reference (`openai/gpt-5.2`); the user's own prices go before the table. A dated name
 * (`…-2025-12-11`, `…-20250929`) has the price of its model unless it has its own. `undefined` when none is known.
 */
export function priceOf(reference: string, overrides: PriceOverrides = {}): KnownPrice | undefined {
  const { name, isRegional } = tableName(reference);
  const own = find(overrides, [reference, name]);
  if (own !== undefined) return { price: own, from: "spec" };
  const listed = find(priceTable, [reference, name]);
  return listed === undefined ? undefined : { ...listPrice(listed, isRegional), from: "table" };
}

/**
 * US dollars for an answer. Tokens that a cache was read for or that were written to it are part of the prompt and have
 * their own price; a prompt beyond `longPrompt.above` tokens has that price for all of the request.
 */
export function costOf(price: ModelPrice, usage: Usage): number {
  const { promptTokens, completionTokens, cachedTokens, cacheWriteTokens: writes = 0 } = usage;
  const isLong = price.longPrompt !== undefined && promptTokens > price.longPrompt.above;
  const rates = isLong ? price.longPrompt : price;
  const { input, output, cachedInput = input, cacheWrite = input } = rates ?? price;
  const fresh = Math.max(0, promptTokens - cachedTokens - writes);
  const dollars =
    fresh * input + cachedTokens * cachedInput + writes * cacheWrite + completionTokens * output;
  return dollars / perToken;
}

/** The usage with its cost: as the server said, else by the model's price; without one where neither is known. */
export function pricedUsage(usage: Usage, price: ModelPrice | undefined): Usage {
  if (usage.costUsd !== undefined || price === undefined) return usage;
  return { ...usage, costUsd: costOf(price, usage) };
}

function find<T>(prices: Readonly<Record<string, T>>, names: readonly string[]): T | undefined {
  const name = names.find((candidate) => Object.hasOwn(prices, candidate));
  return name === undefined ? undefined : prices[name];
}

/** Days at the end of a name, as OpenAI (`-2025-12-11`) and Anthropic (`-20250929`) write them. */
function undated(name: string): string {
  return name.replace(/-20\d{2}(?:-\d{2}-\d{2}|\d{4})$/, "");
}

/** A name on Bedrock, also at the end of an ARN: geography, vendor and model, day, version. */
const bedrockName =
  /^bedrock\/(?:arn:.*\/)?(?:(us-gov|us|eu|apac|jp|au|ca|global)\.)?(.+?)(?:-20\d{6})?(?:-v\d+(?::\d+)?|-\d+:\d+)?$/;

/** `bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0` is `bedrock/anthropic.claude-sonnet-4-5` of one geography. */
function tableName(reference: string): { name: string; isRegional: boolean } {
  const [, geography, model] = bedrockName.exec(reference) ?? [];
  if (model === undefined) return { name: undated(reference), isRegional: false };
  return { name: `bedrock/${model}`, isRegional: geography !== undefined && geography !== "global" };
}

function listPrice(
  { asOf, regional = 1, ...price }: ListPrice,
  isRegional: boolean,
): { price: ModelPrice; asOf: string } {
  if (!isRegional || regional === 1) return { price, asOf };
  const { longPrompt } = price;
  const scaled = { ...price, ...scale(price, regional) };
  if (longPrompt === undefined) return { price: scaled, asOf };
  return { price: { ...scaled, longPrompt: { ...longPrompt, ...scale(longPrompt, regional) } }, asOf };
}

function scale(rates: Omit<ModelPrice, "longPrompt">, factor: number): Omit<ModelPrice, "longPrompt"> {
  const { input, output, cachedInput, cacheWrite } = rates;
  return {
    input: input * factor,
    output: output * factor,
    ...(cachedInput === undefined ? {} : { cachedInput: cachedInput * factor }),
    ...(cacheWrite === undefined ? {} : { cacheWrite: cacheWrite * factor }),
  };
}
