import { retryAfterMs } from "../ingest/retry.ts";

/** Headers of an answer, names in lower case. */
export type ReplyHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Which allowance is used up is told by what remains of it: OpenAI's names, then Anthropic's. */
const allowances = [
  ["x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
  ["x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
  ["anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"],
  ["anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"],
  ["anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"],
  ["anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"],
] as const;

/**
 * How long a provider wants to be left alone, in milliseconds from `now`: by `retry-after-ms` or `Retry-After`, else, for
 * a 429, until the allowance that is used up fills again. `undefined` when it does not say.
 */
export function waitAskedFor(status: number, headers: ReplyHeaders, now: number): number | undefined {
  const ms = Number(one(headers["retry-after-ms"]) ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return Math.ceil(ms);
  const after = retryAfterMs(one(headers["retry-after"]) ?? null, now);
  if (after !== undefined || status !== 429) return after;
  const waits = allowances.flatMap(([remaining, reset]) => {
    if (one(headers[remaining])?.trim() !== "0") return [];
    return untilReset(one(headers[reset]) ?? "", now) ?? [];
  });
  return waits.length === 0 ? undefined : Math.max(...waits);
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** OpenAI writes `1m30s` or `12ms`, Anthropic a date (RFC 3339). */
function untilReset(text: string, now: number): number | undefined {
  if (/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
    return Math.ceil(
      parts.reduce((sum, [, amount, unit = ""]) => sum + Number(amount) * (unitsMs[unit] ?? 0), 0),
    );
  }
  const date = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "object" ? value[0] : value;
}
