import { expect, test } from "vitest";
import { proxyFor } from "./dial.ts";

const https = "http://proxy.example:3128";

test.each([
  ["api.example.com", 443, undefined, true],
  ["api.example.com", 443, "", true],
  ["api.example.com", 443, "*", false],
  ["api.example.com", 443, "other.com, example.com", false],
  ["api.example.com", 443, ".example.com", false],
  ["api.example.com", 443, "*.example.com", false],
  ["badexample.com", 443, "example.com", true],
  ["API.Example.com", 443, "api.example.com", false],
  ["api.example.com", 443, "api.example.com:8443", true],
  ["api.example.com", 8443, "api.example.com:8443", false],
  ["127.0.0.1", 80, "localhost,127.0.0.1", false],
  ["::1", 80, "::1", false],
  ["::1", 81, "[::1]:80", true],
])("%s:%i with NO_PROXY=%s goes through the proxy: %s", (host, port, none, isProxied) => {
  const proxies = { https, ...(none === undefined ? {} : { none }) };
  expect(proxyFor({ host, port }, "https", proxies) !== undefined).toBe(isProxied);
});

test("plain HTTP has a proxy of its own", () => {
  expect(proxyFor({ host: "h.example", port: 80 }, "http", { https })).toBeUndefined();
});
