import type { Usage } from "./trial.ts";

export const noUsage: Usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  const cost =
    a.costUsd === undefined && b.costUsd === undefined ? undefined : (a.costUsd ?? 0) + (b.costUsd ?? 0);
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    ...(cost === undefined ? {} : { costUsd: cost }),
  };
}

/** The larger of the two in each count. */
export function largerUsage(a: Usage, b: Usage): Usage {
  const cost =
    a.costUsd === undefined && b.costUsd === undefined ? undefined : Math.max(a.costUsd ?? 0, b.costUsd ?? 0);
  return {
    promptTokens: Math.max(a.promptTokens, b.promptTokens),
    completionTokens: Math.max(a.completionTokens, b.completionTokens),
    cachedTokens: Math.max(a.cachedTokens, b.cachedTokens),
    ...(cost === undefined ? {} : { costUsd: cost }),
  };
}

/** Usage under the names that ATIF's metrics have. */
export function usageMetrics(usage: Usage | undefined): Record<string, number> {
  if (usage === undefined) return {};
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    cached_tokens: usage.cachedTokens,
    ...(usage.costUsd === undefined ? {} : { cost_usd: usage.costUsd }),
  };
}
