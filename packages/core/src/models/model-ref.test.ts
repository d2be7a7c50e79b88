import { describe, expect, test } from "vitest";
import { parseModelRef } from "./model-ref.ts";
import { keyHeaders, providerNames, providerOf } from "./providers.ts";

const providers = providerNames({ acme: { url: "http://models.acme.test/v1" } });

describe("a reference to a model", () => {
  test.each([
    ["openai/gpt-5.2", { kind: "provider", provider: "openai", model: "gpt-5.2" }],
    ["groq/openai/gpt-oss-120b", { kind: "provider", provider: "groq", model: "openai/gpt-oss-120b" }],
    ["acme/m", { kind: "provider", provider: "acme", model: "m" }],
    [
      "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
      { kind: "provider", provider: "bedrock", model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0" },
    ],
    ["http://127.0.0.1:8000/v1", { kind: "url", baseUrl: "http://127.0.0.1:8000/v1" }],
    [
      "https://gpu.test/v1/#Qwen/Qwen3-8B",
      { kind: "url", baseUrl: "https://gpu.test/v1", model: "Qwen/Qwen3-8B" },
    ],
    ["HTTP://GPU.test:80/v1/?", { kind: "url", baseUrl: "http://gpu.test/v1" }],
    [
      "http://127.0.0.1:8000/v1#models/a b, 50% é",
      { kind: "url", baseUrl: "http://127.0.0.1:8000/v1", model: "models/a b, 50% é" },
    ],
    ["http://127.0.0.1:8000/v1#a%20b", { kind: "url", baseUrl: "http://127.0.0.1:8000/v1", model: "a b" }],
    ["replay/reference", { kind: "replay", recording: { kind: "reference" } }],
    ["replay/runs/a.json", { kind: "replay", recording: { kind: "file", path: "runs/a.json" } }],
    ["noop/x", { kind: "noop", name: "x" }],
  ])("%s is understood", (reference, expected) => {
    expect(parseModelRef(reference, providers)).toEqual(expected);
  });

  test.each([
    ["gpt-5.2", /"gpt-5.2".*did you mean openai\/gpt-5.2\?/],
    ["claude-opus-4-8", /did you mean anthropic\/claude-opus-4-8\?/],
    ["something", /names no provider; it is PROVIDER\/MODEL, or the address/],
    ["opnai/gpt-5.2", /no provider is called "opnai" \(did you mean openai\/\?\)/],
    ["nowhere-at-all/m", /known: openai, anthropic.*acme/],
    ["openai/", /names no model/],
    ["openai", /names no model/],
    ["localhost:8000/v1", /an address begins with http/],
    ["http://", /is no address/],
    ["", /names no provider/],
  ])("%j is refused with a way out", (reference, message) => {
    expect(() => parseModelRef(reference, providers)).toThrow(message);
  });

  test.each(["http://user:pw-secret@host/v1", "http://host/v1?key=pw-secret"])(
    "with a secret is refused, and not repeated: %s",
    (reference) => {
      expect(() => parseModelRef(reference, providers)).toThrow(/references are stored.*providers/);
      expect(() => parseModelRef(reference, providers)).not.toThrow(/pw-secret/);
    },
  );
});

describe("a provider", () => {
  test("is known by its name, or is the spec's own", () => {
    expect(providerOf("anthropic", {})).toEqual({
      name: "anthropic",
      protocol: "messages",
      url: "https://api.anthropic.com",
      key: "ANTHROPIC_API_KEY",
    });
    expect(providerOf("acme", { acme: { url: "http://acme.test/v1/", requestsPerMinute: 6 } })).toEqual({
      name: "acme",
      protocol: "chat-completions",
      url: "http://acme.test/v1",
      requestsPerMinute: 6,
    });
  });

  test("that is known takes the spec's changes, and keeps the rest", () => {
    const specs = { openai: { protocol: "chat-completions" as const, key: "WORK_KEY" } };
    expect(providerOf("openai", specs)).toMatchObject({
      url: "https://api.openai.com/v1",
      protocol: "chat-completions",
      key: "WORK_KEY",
    });
  });

  test("without an address is refused by name", () => {
    expect(() => providerOf("acme", { acme: { key: "K" } })).toThrow(/providers\.acme.*wants a `url`/);
  });

  test.each([
    ["api.acme.test/v1", /is no address/],
    ["https://user:pw-secret@acme.test/v1", /password/],
    ["https://acme.test/v1?api-version=pw-secret", /query/],
  ])("at %s is refused, and no secret repeated", (url, message) => {
    expect(() => providerOf("acme", { acme: { url } })).toThrow(message);
    expect(() => providerOf("acme", { acme: { url } })).not.toThrow(/pw-secret/);
  });

  test("knows its user by the header that it wants", () => {
    expect(keyHeaders("messages", "k")).toEqual({ "anthropic-version": "2023-06-01", "x-api-key": "k" });
    expect(keyHeaders("responses", "k")).toEqual({ authorization: "Bearer k" });
    expect(keyHeaders("chat-completions", undefined)).toEqual({});
  });
});
