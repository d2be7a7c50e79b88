import { expect, test } from "vitest";
import { waitAskedFor } from "./wait-hints.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const inSeconds = (s: number): string => new Date(now + s * 1_000).toISOString();

test.each([
  ["seconds", 503, { "retry-after": "7" }, 7_000],
  ["a date", 503, { "retry-after": new Date(now + 23_000).toUTCString() }, 23_000],
  ["milliseconds, which go first", 429, { "retry-after-ms": "1250", "retry-after": "2" }, 1_250],
  [
    "OpenAI's allowance that is used up",
    429,
    {
      "x-ratelimit-remaining-requests": "12",
      "x-ratelimit-reset-requests": "8h",
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "1m6.5s",
    },
    66_500,
  ],
  [
    "Anthropic's",
    429,
    {
      "anthropic-ratelimit-output-tokens-remaining": "0",
      "anthropic-ratelimit-output-tokens-reset": inSeconds(40),
    },
    40_000,
  ],
  [
    "nothing by an allowance that has room",
    429,
    { "x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "1s" },
    undefined,
  ],
  [
    "nothing by allowances when it is not about them",
    500,
    { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1s" },
    undefined,
  ],
  ["nothing that can be read", 429, { "retry-after": "soon", "retry-after-ms": "-1" }, undefined],
  ["nothing", 429, {}, undefined],
])("a server says by %s how long to wait", (_, status, headers, expected) => {
  expect(waitAskedFor(status, headers, now)).toBe(expected);
});
