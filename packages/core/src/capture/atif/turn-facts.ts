import type { Metrics } from "../../atif/trajectory.ts";
import { type Fields, fieldsList, fieldsOf, textIn } from "../../protocols/fields.ts";
import type { Entry } from "./entries.ts";
import type { ModelCall } from "./model-call.ts";

/** Token ids and log probabilities are the turn's metrics, once. */
export function withoutTokens(item: Entry["item"]): Entry["item"] {
  if (typeof item === "string" || !Array.isArray(item.content)) return item;
  const content = (item.content as unknown[]).map((part) => {
    if (fieldsOf(part).logprobs === undefined) return part;
    const { logprobs: _, ...rest } = fieldsOf(part);
    return rest;
  });
  return { ...item, content };
}

/** What the turn used, and its tokens. */
export function metricsOf({ outcome }: ModelCall): Partial<Metrics> {
  if (!("answer" in outcome)) return {};
  const { usage, tokens } = outcome;
  return {
    ...(usage !== undefined && {
      prompt_tokens: usage.promptTokens,
      completion_tokens: usage.completionTokens,
      cached_tokens: usage.cachedTokens,
      ...(usage.costUsd !== undefined && { cost_usd: usage.costUsd }),
      ...(usage.cacheWriteTokens !== undefined && { extra: { cache_write_tokens: usage.cacheWriteTokens } }),
    }),
    ...(tokens?.prompt !== undefined && { prompt_token_ids: tokens.prompt }),
    ...(tokens?.completion !== undefined && { completion_token_ids: tokens.completion }),
    ...(tokens?.logprobs !== undefined && { logprobs: tokens.logprobs }),
  };
}

/** Reasons to stop that are not the usual ones: the turn is not as the model would have had it. */
const unusual = new Set([
  "length",
  "content_filter",
  "max_tokens",
  "refusal",
  "content_filtered",
  "incomplete",
]);

export function finishNote({ choices, stop_reason: reason, stopReason, status }: Fields): Fields {
  const finish = fieldsOf(fieldsList(choices)[0]).finish_reason ?? reason ?? stopReason ?? status;
  return typeof finish === "string" && unusual.has(finish) ? { finish_reason: finish } : {};
}

/** How much the model was told to think. */
export function effortOf({
  reasoning,
  reasoning_effort: word,
  output_config: config,
}: Fields): string | undefined {
  return textIn(word) || textIn(fieldsOf(reasoning).effort) || textIn(fieldsOf(config).effort) || undefined;
}
