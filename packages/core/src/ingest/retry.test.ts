import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffMs, isRetryableStatus, retryAfterMs } from "./retry.ts";

const now = Date.parse("2026-01-01T00:00:00Z");

describe("retryAfterMs", () => {
  test.each([
    ["0", 0],
    ["7", 7_000],
    [" 2 ", 2_000],
    ["Thu, 01 Jan 2026 00:01:30 GMT", 90_000],
    ["Thu, 01 Jan 2026 00:00:00 GMT", 0],
    ["Wed, 31 Dec 2025 23:59:00 GMT", 0],
    ["soon", undefined],
    ["-5", undefined],
    ["", undefined],
    [null, undefined],
  ])("%j asks for %j ms", (header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });
});

test("the backoff doubles from half a second to 30 s, and never loses more than half to chance", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempt, chance) => {
        const full = Math.min(30_000, 500 * 2 ** (attempt - 1));
        const wait = backoffMs(attempt, () => chance);
        expect(wait).toBeGreaterThanOrEqual(Math.floor(full / 2));
        expect(wait).toBeLessThanOrEqual(full);
      },
    ),
  );
});

test("a server's fault and an overload are tried again, a refusal is not", () => {
  expect([408, 425, 429, 500, 502, 503, 504].every(isRetryableStatus)).toBe(true);
  expect([400, 401, 403, 404, 409, 422].some(isRetryableStatus)).toBe(false);
});
