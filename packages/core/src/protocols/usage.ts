import type { Usage } from "../run/trial.ts";
import { countIn, fieldsOf } from "./fields.ts";
import type { ModelProtocol } from "./protocol.ts";

const readers: Record<ModelProtocol, (usage: unknown) => Usage | undefined> = {
  "chat-completions": chatUsage,
  responses: responsesUsage,
  messages: messagesUsage,
  converse: converseUsage,
};

/** What an answer's body says that it used; `undefined` when it says nothing. */
export function usageOf(protocol: ModelProtocol, body: unknown): Usage | undefined {
  return readers[protocol](fieldsOf(body).usage);
}

interface Counts {
  prompt: number | undefined;
  completion: number | undefined;
  cached: number | undefined;
  cacheWrite?: number | undefined;
  total?: number | undefined;
  cost?: unknown;
}

function usage({ prompt, completion, cached, cacheWrite, total = 0, cost }: Counts): Usage | undefined {
  // No prompt has no tokens: some servers write zeros for what they do not count.
  if (!prompt && !completion) return undefined;
  return {
    promptTokens: prompt ?? 0,
    completionTokens: Math.max(completion ?? 0, total - (prompt ?? 0)),
    cachedTokens: cached ?? 0,
    ...(cacheWrite !== undefined && cacheWrite > 0 && { cacheWriteTokens: cacheWrite }),
    ...(typeof cost === "number" && cost >= 0 && { costUsd: cost }),
  };
}

/**
 * DeepSeek has its own name for cached tokens; OpenRouter says what an answer cost, in US dollars. Gemini and xAI count
 * thoughts, which are paid as the answer's, in the total alone.
 */
export function chatUsage(value: unknown): Usage | undefined {
  const counts = fieldsOf(value);
  const details = fieldsOf(counts.prompt_tokens_details);
  return usage({
    prompt: countIn(counts.prompt_tokens),
    completion: countIn(counts.completion_tokens),
    cached: countIn(details.cached_tokens) ?? countIn(counts.prompt_cache_hit_tokens),
    cacheWrite: countIn(details.cache_write_tokens),
    total: countIn(counts.total_tokens),
    cost: counts.cost,
  });
}

export function responsesUsage(value: unknown): Usage | undefined {
  const counts = fieldsOf(value);
  const details = fieldsOf(counts.input_tokens_details);
  return usage({
    prompt: countIn(counts.input_tokens),
    completion: countIn(counts.output_tokens),
    cached: countIn(details.cached_tokens),
    cacheWrite: countIn(details.cache_write_tokens),
    cost: counts.cost,
  });
}

/** Anthropic counts what was read from a cache or written to one apart from `input_tokens`; we count all of the prompt. */
export function messagesUsage(value: unknown): Usage | undefined {
  const counts = fieldsOf(value);
  return apart(
    countIn(counts.input_tokens),
    countIn(counts.output_tokens),
    countIn(counts.cache_read_input_tokens),
    countIn(counts.cache_creation_input_tokens),
  );
}

/** As Anthropic counts: `inputTokens` leaves out what was read from a cache or written to one. */
export function converseUsage(value: unknown): Usage | undefined {
  const counts = fieldsOf(value);
  return apart(
    countIn(counts.inputTokens),
    countIn(counts.outputTokens),
    countIn(counts.cacheReadInputTokens),
    countIn(counts.cacheWriteInputTokens),
  );
}

function apart(
  fresh: number | undefined,
  completion: number | undefined,
  cached = 0,
  cacheWrite = 0,
): Usage | undefined {
  const prompt = fresh === undefined ? undefined : fresh + cached + cacheWrite;
  return usage({ prompt, completion, cached, cacheWrite });
}
