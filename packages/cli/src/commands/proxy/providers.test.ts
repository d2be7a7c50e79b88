import { expect, test } from "vitest";
import { readConfig } from "../../config.ts";
import { answerCost, keysByHost, modelHosts, providerUrls } from "./providers.ts";

const config = readConfig({ OPENAI_API_KEY: "key-1", ANTHROPIC_API_KEY: "key-2", MY_KEY: "key-3" });

test("a key goes to its provider's host alone, in the header that the provider reads", () => {
  expect(keysByHost(["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "groq=MY_KEY"], config)).toMatchObject({
    "api.openai.com": { authorization: "Bearer key-1" },
    "api.anthropic.com": { "x-api-key": "key-2" },
    "api.groq.com": { authorization: "Bearer key-3" },
  });
});

test.each([
  ["MY_KEY", "whose key? Give PROVIDER=VARIABLE, as openai=OPENAI_API_KEY"],
  ["nobody=MY_KEY", "whose key?"],
  ["openai=NOT_SET", "NOT_SET is not set; export it first"],
])("--key-env %s is refused with what to do", (setting, words) => {
  expect(() => keysByHost([setting], config)).toThrow(words);
});

test("addresses keep the version in the path, as the provider's own do", () => {
  expect(providerUrls).toMatchObject({
    openai: "https://api.openai.com",
    anthropic: "https://api.anthropic.com",
    groq: "https://api.groq.com/openai",
  });
  expect(modelHosts).toEqual(expect.arrayContaining(["api.openai.com", "api.anthropic.com", "chatgpt.com"]));
});

test("an answer's cost is known by what the provider calls its model, and unknown for others", () => {
  const usage = { promptTokens: 1_000_000, completionTokens: 0, cachedTokens: 0 };
  expect(answerCost("gpt-5.2-2025-12-11", usage)).toBeGreaterThan(0);
  expect(answerCost("my-own-model", usage)).toBeUndefined();
});
