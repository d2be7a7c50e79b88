import type { Usage } from "./trial.ts";

export const noUsage: Usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  const sum = (x: number, y: number): number => x + y;
  const cacheWrites = combined(a.cacheWriteTokens, b.cacheWriteTokens, sum);
  const cost = combined(a.costUsd, b.costUsd, sum);
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    ...(cacheWrites === undefined ? {} : { cacheWriteTokens: cacheWrites }),
    ...(cost === undefined ? {} : { costUsd: cost }),
  };
}

/** The larger of the two in each count. */
export function largerUsage(a: Usage, b: Usage): Usage {
  const cacheWrites = combined(a.cacheWriteTokens, b.cacheWriteTokens, Math.max);
  const cost = combined(a.costUsd, b.costUsd, Math.max);
  return {
    promptTokens: Math.max(a.promptTokens, b.promptTokens),
    completionTokens: Math.max(a.completionTokens, b.completionTokens),
    cachedTokens: Math.max(a.cachedTokens, b.cachedTokens),
    ...(cacheWrites === undefined ? {} : { cacheWriteTokens: cacheWrites }),
    ...(cost === undefined ? {} : { costUsd: cost }),
  };
}

/** What neither side knows stays unknown; a side that does not know counts as nothing. */
function combined(
  a: number | undefined,
  b: number | undefined,
  combine: (a: number, b: number) => number,
): number | undefined {
  return a === undefined && b === undefined ? undefined : combine(a ?? 0, b ?? 0);
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
