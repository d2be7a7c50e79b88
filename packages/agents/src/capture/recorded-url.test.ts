import { expect, test } from "vitest";
import { plainRedactor } from "../../../../test/servers/capture-world.ts";
import { recordedUrl } from "./recorded-url.ts";

test.each([
  ["https://h.example/v1?key=abc&alt=sse", "https://h.example/v1?key=%5BREDACTED%3Aquery%5D&alt=sse"],
  ["https://user:pass@h.example/a#b", "https://h.example/a"],
  [
    "https://h.example/a?X-Amz-Signature=1&q=a%20b",
    "https://h.example/a?X-Amz-Signature=%5BREDACTED%3Aquery%5D&q=a+b",
  ],
  ["https://h.example/a?q=a%20b", "https://h.example/a?q=a%20b"],
])("%s is written down without credentials", (url, written) => {
  expect(recordedUrl(new URL(url), plainRedactor())).toBe(written);
});
