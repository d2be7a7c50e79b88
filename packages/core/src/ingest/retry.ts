import type { Random } from "../ports/clock.ts";

/** Base and cap of the backoff, and the longest wait that a server may impose before the ingest gives up. */
const BASE_MS = 500;
const CAP_MS = 30_000;
export const LONGEST_WAIT_MS = 10 * 60_000;

/** Statuses after which the same request may succeed: too early, too many, timed out, or the server's fault. */
export function isRetryableStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/**
 * Milliseconds to wait before try `attempt` + 1 (attempts count from 1): 0.5 s doubling to 30 s, of which a
 * random half is taken off so that clients do not come back together.
 */
export function backoffMs(attempt: number, random: Random): number {
  const full = Math.min(CAP_MS, BASE_MS * 2 ** (attempt - 1));
  return Math.round(full / 2 + (random() * full) / 2);
}

/**
 * The wait that a `Retry-After` header asks for, in milliseconds from `now`: seconds, or an HTTP date
 * (RFC 9110, 10.2.3). `undefined` when there is none or it is neither.
 */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1_000);
  // A date has letters; Date.parse alone would take "-5" or "2025" for one.
  const date = /[a-z]{3}/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
