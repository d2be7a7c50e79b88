import type { ModelPrice } from "./model-spec.ts";

/** A list price for standard requests: no batch, flex, priority or fast mode. */
export interface ListPrice extends ModelPrice {
  /** The day (UTC) as of which the price was read. */
  asOf: string;
  /** What an inference profile of one geography (`us.`, `eu.`) charges, as a factor; `global.` charges the price itself. */
  regional?: number;
}

type Rates = Omit<ModelPrice, "longPrompt">;

/** Input, cached input, output: US dollars for a million tokens. */
function tokens(input: number, cachedInput: number, output: number): Rates {
  return { input, cachedInput, output };
}

/** Anthropic's writes to the cache of five minutes cost a quarter more than input; clients here ask for no other. */
function claude(input: number, cachedInput: number, output: number): Rates {
  return { input, cachedInput, output, cacheWrite: input * 1.25 };
}

/** Long prompts at a multiple of every kind of input, and one of output. */
function beyond(above: number, inputFactor: number, outputFactor: number, rates: Rates): ModelPrice {
  const { input, output, cachedInput, cacheWrite } = rates;
  return {
    ...rates,
    longPrompt: {
      above,
      input: input * inputFactor,
      output: output * outputFactor,
      ...(cachedInput === undefined ? {} : { cachedInput: cachedInput * inputFactor }),
      ...(cacheWrite === undefined ? {} : { cacheWrite: cacheWrite * inputFactor }),
    },
  };
}

/** OpenAI's rule since GPT-5.4: beyond 272,000 prompt tokens input costs twice and output one and a half times as much. */
function openaiLong(rates: Rates): ModelPrice {
  return beyond(272_000, 2, 1.5, rates);
}

/** Amazon Bedrock has Claude at Anthropic's prices; since 4.5, profiles of one geography cost a tenth more. */
function onBedrock(price: ModelPrice): ModelPrice & Pick<ListPrice, "regional"> {
  return { ...price, regional: 1.1 };
}

const openai: Record<string, ModelPrice> = {
  "gpt-5.5": openaiLong(tokens(5, 0.5, 30)),
  "gpt-5.5-pro": openaiLong({ input: 30, output: 180 }),
  "gpt-5.4": openaiLong(tokens(2.5, 0.25, 15)),
  "gpt-5.4-mini": tokens(0.75, 0.075, 4.5),
  "gpt-5.4-nano": tokens(0.2, 0.02, 1.25),
  "gpt-5.4-pro": openaiLong({ input: 30, output: 180 }),
  "gpt-5.3-codex": tokens(1.75, 0.175, 14),
  "gpt-5.3-chat-latest": tokens(1.75, 0.175, 14),
  "gpt-5.2": tokens(1.75, 0.175, 14),
  "gpt-5.2-codex": tokens(1.75, 0.175, 14),
  "gpt-5.2-chat-latest": tokens(1.75, 0.175, 14),
  "gpt-5.2-pro": { input: 21, output: 168 },
  "gpt-5.1": tokens(1.25, 0.125, 10),
  "gpt-5.1-codex": tokens(1.25, 0.125, 10),
  "gpt-5.1-codex-max": tokens(1.25, 0.125, 10),
  "gpt-5.1-codex-mini": tokens(0.25, 0.025, 2),
  "gpt-5.1-chat-latest": tokens(1.25, 0.125, 10),
  "gpt-5": tokens(1.25, 0.125, 10),
  "gpt-5-codex": tokens(1.25, 0.125, 10),
  "gpt-5-chat-latest": tokens(1.25, 0.125, 10),
  "gpt-5-mini": tokens(0.25, 0.025, 2),
  "gpt-5-nano": tokens(0.05, 0.005, 0.4),
  "gpt-5-pro": { input: 15, output: 120 },
  "gpt-4.1": tokens(2, 0.5, 8),
  "gpt-4.1-mini": tokens(0.4, 0.1, 1.6),
  "gpt-4.1-nano": tokens(0.1, 0.025, 0.4),
  "gpt-4o": tokens(2.5, 1.25, 10),
  "gpt-4o-2024-05-13": { input: 5, output: 15 },
  "gpt-4o-mini": tokens(0.15, 0.075, 0.6),
  o3: tokens(2, 0.5, 8),
  "o3-mini": tokens(1.1, 0.55, 4.4),
  "o3-pro": { input: 20, output: 80 },
  "o4-mini": tokens(1.1, 0.275, 4.4),
};

/** Lowered on 2026-07-30, and what came after. */
const openaiSince: Record<string, ModelPrice> = {
  "gpt-6-astra": openaiLong(tokens(10, 1, 50)),
  "gpt-6-sol": openaiLong({ ...tokens(2, 0.2, 10), cacheWrite: 2.5 }),
  "gpt-6-luna": openaiLong({ ...tokens(0.1, 0.01, 0.5), cacheWrite: 0.125 }),
  "gpt-5.6-sol": openaiLong({ ...tokens(5, 0.5, 30), cacheWrite: 6.25 }),
  "gpt-5.6-terra": openaiLong({ ...tokens(2, 0.2, 12), cacheWrite: 2.5 }),
  "gpt-5.6-luna": openaiLong({ ...tokens(0.2, 0.02, 1.2), cacheWrite: 0.25 }),
};

/** Sold by Anthropic and, under other names, on Bedrock. */
const claudeModels: Record<string, ModelPrice> = {
  "claude-fable-5-1": claude(10, 0.25, 50),
  "claude-fable-5": claude(10, 1, 50),
  "claude-opus-5-5": claude(4, 0.2, 20),
  "claude-opus-5": claude(5, 0.5, 25),
  "claude-opus-4-8": claude(5, 0.5, 25),
  "claude-opus-4-7": claude(5, 0.5, 25),
  "claude-opus-4-6": claude(5, 0.5, 25),
  "claude-opus-4-5": claude(5, 0.5, 25),
  "claude-sonnet-5-5": claude(2, 0.1, 10),
  "claude-sonnet-5": claude(2, 0.2, 10),
  "claude-sonnet-4-6": claude(3, 0.3, 15),
  "claude-sonnet-4-5": beyond(200_000, 2, 1.5, claude(3, 0.3, 15)),
  "claude-haiku-4-5": claude(1, 0.1, 5),
};

const anthropicAlone: Record<string, ModelPrice> = {
  "claude-haiku-5-5": beyond(100_000, 5, 5, claude(0.1, 0.01, 0.5)),
};

const bedrock: Record<string, ModelPrice> = {
  "anthropic.claude-opus-4-1": claude(15, 1.5, 75),
  "anthropic.claude-sonnet-4": beyond(200_000, 2, 1.5, claude(3, 0.3, 15)),
  "anthropic.claude-3-7-sonnet": claude(3, 0.3, 15),
  "anthropic.claude-3-5-haiku": claude(0.8, 0.08, 4),
  "anthropic.claude-3-haiku": { input: 0.25, output: 1.25 },
  "amazon.nova-micro": tokens(0.035, 0.00875, 0.14),
  "amazon.nova-lite": tokens(0.06, 0.015, 0.24),
  "amazon.nova-pro": tokens(0.8, 0.2, 3.2),
  "amazon.nova-premier": { input: 2.5, output: 12.5 },
  "amazon.nova-2-lite": tokens(0.3, 0.075, 2.5),
  "deepseek.r1": { input: 1.35, output: 5.4 },
  "meta.llama3-3-70b-instruct": { input: 0.72, output: 0.72 },
  "meta.llama4-maverick-17b-instruct": { input: 0.24, output: 0.97 },
  "meta.llama4-scout-17b-instruct": { input: 0.17, output: 0.66 },
  "openai.gpt-oss-120b": { input: 0.15, output: 0.6 },
  "openai.gpt-oss-20b": { input: 0.07, output: 0.3 },
};

const others: Record<string, ModelPrice> = {
  "gemini/gemini-3.1-pro-preview": beyond(200_000, 2, 1.5, tokens(2, 0.2, 12)),
  "gemini/gemini-3-pro-preview": beyond(200_000, 2, 1.5, tokens(2, 0.2, 12)),
  "gemini/gemini-3.6-flash": tokens(1.5, 0.15, 7.5),
  "gemini/gemini-3.5-flash": tokens(1.5, 0.15, 9),
  "gemini/gemini-3.5-flash-lite": tokens(0.3, 0.03, 2.5),
  "gemini/gemini-3.1-flash-lite": tokens(0.25, 0.025, 1.5),
  "gemini/gemini-3-flash-preview": tokens(0.5, 0.05, 3),
  "gemini/gemini-2.5-pro": beyond(200_000, 2, 1.5, tokens(1.25, 0.125, 10)),
  "gemini/gemini-2.5-flash": tokens(0.3, 0.03, 2.5),
  "gemini/gemini-2.5-flash-lite": tokens(0.1, 0.01, 0.4),
  "deepseek/deepseek-v4-pro": tokens(0.435, 0.00363, 0.87),
  "deepseek/deepseek-v4-flash": tokens(0.14, 0.0028, 0.28),
  "xai/grok-4.5": beyond(200_000, 2, 2, tokens(2, 0.5, 6)),
  "xai/grok-4.3": beyond(200_000, 2, 2, tokens(1.25, 0.2, 2.5)),
  "mistral/mistral-large-2512": { input: 0.5, output: 1.5 },
  "mistral/mistral-medium-2604": { input: 1.5, output: 7.5 },
  "mistral/mistral-medium-2508": { input: 0.4, output: 2 },
  "mistral/codestral-2508": { input: 0.3, output: 0.9 },
  "mistral/devstral-2512": { input: 0.4, output: 2 },
  "groq/llama-3.1-8b-instant": { input: 0.05, output: 0.08 },
  "groq/llama-3.3-70b-versatile": { input: 0.59, output: 0.79 },
  "groq/openai/gpt-oss-120b": tokens(0.15, 0.075, 0.6),
  "groq/openai/gpt-oss-20b": tokens(0.075, 0.0375, 0.3),
};

/** Each under `prefix` and its name, as of that day. */
function readOn(
  asOf: string,
  prefix: string,
  prices: Record<string, ModelPrice>,
  more: (price: ModelPrice) => Omit<ListPrice, "asOf"> = (price) => price,
): [string, ListPrice][] {
  return Object.entries(prices).map(([name, price]) => [prefix + name, { ...more(price), asOf }]);
}

/**
 * List prices by `provider/model`, the model without its date and, on Bedrock, without geography and version. Not
 * every model is here: what could not be confirmed is left out, and has no cost until the user's `prices` say one.
 */
export const priceTable: Readonly<Record<string, ListPrice>> = Object.fromEntries([
  ...readOn("2026-07-24", "openai/", openai),
  ...readOn("2026-09-22", "openai/", openaiSince),
  ...readOn("2026-10-24", "anthropic/", claudeModels),
  ...readOn("2026-10-24", "anthropic/", anthropicAlone),
  ...readOn("2026-10-24", "bedrock/anthropic.", claudeModels, onBedrock),
  ...readOn("2026-07-24", "bedrock/", bedrock),
  ...readOn("2026-07-24", "", others),
]);
