import { expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { providerError } from "../../../../test/servers/model-provider/errors.ts";
import { type ModelProviderOptions, modelProvider } from "../../../../test/servers/model-provider.ts";
import { createModelAccess } from "./access.ts";
import { checkModel } from "./check.ts";

async function checked(
  script: ModelProviderOptions["script"],
  { reference = "#m", models = ["m", "n"] }: { reference?: string; models?: string[] } = {},
) {
  await using server = await modelProvider({ script, models });
  const clock = fakeClock();
  const access = createModelAccess(
    { providers: { anthropic: { url: server.origin } }, prices: {}, modelCache: false },
    { secrets: { get: async () => "sk-1" }, clock, random: () => 1 },
  );
  const named = reference.includes("/") ? reference : `${server.origin}/v1${reference}`;
  const signal = new AbortController().signal;
  return await checkModel(named, { timeoutMs: 0, signal }, { models: access, clock });
}

const able: ModelProviderOptions["script"] = ({ tools, body }) => {
  if (tools.length > 0) return { toolCalls: [{ name: "add", arguments: { a: 2, b: 3 } }] };
  const tokens = { completion: [1, 2], logprobs: [-0.1, -0.2] };
  return { text: "One, two, three.", ...(body.return_token_ids === true ? { tokens } : {}) };
};

test("a look says what a server has and what its model can do", async () => {
  expect(await checked(able)).toMatchObject({
    model: "m",
    protocol: "chat-completions",
    models: ["m", "n"],
    text: "One, two, three.",
    streamed: true,
    finish: "stop",
    usage: { promptTokens: 100, completionTokens: 10 },
    tools: "calls",
    tokenIds: true,
    logprobs: true,
  });
});

test("a look finds the only model of a server", async () => {
  expect(await checked(able, { reference: "", models: ["only"] })).toMatchObject({ model: "only" });
  await expect(checked(able, { reference: "" })).rejects.toThrow(/2 models; say which/);
});

test("a look says what a model cannot, and why", async () => {
  const poor: ModelProviderOptions["script"] = ({ tools, body }) => {
    if (tools.length > 0) return providerError({ status: 400, message: "tools want a parser" });
    if (body.logprobs === true) return providerError({ status: 400, message: "no logprobs" });
    return { text: "One." };
  };
  expect(await checked(poor)).toMatchObject({
    tools: { refused: expect.stringContaining("tools want a parser") },
    tokenIds: false,
    logprobs: false,
  });
  const shy: ModelProviderOptions["script"] = () => ({ text: "I would rather not." });
  expect(await checked(shy)).toMatchObject({ tools: "no-call" });
});

test("a look speaks the provider's protocol", async () => {
  expect(await checked(able, { reference: "anthropic/m" })).toMatchObject({
    protocol: "messages",
    models: ["m", "n"],
    tools: "calls",
  });
});

test("a model that the server has not is named with those that it has", async () => {
  await expect(checked(able, { reference: "#nope" })).rejects.toMatchObject({
    code: "model-failed",
    message: expect.stringMatching(/no model nope; it has m, n/),
  });
});

test.each([1, 2])(
  "a server that dies after %i answers is a failure, not one that can do little",
  async (most) => {
    let answers = 0;
    const dying: ModelProviderOptions["script"] = (asked, before) => {
      answers += 1;
      return answers > most ? (response) => void response.socket?.destroy() : able(asked, before);
    };
    await expect(checked(dying)).rejects.toMatchObject({ code: "model-failed" });
  },
);

test("a model that does not answer is a failure, with what its server said", async () => {
  const sick: ModelProviderOptions["script"] = () =>
    providerError({ status: 500, message: "engine is dead" });
  await expect(checked(sick)).rejects.toThrow(/engine is dead \(asked 3 times\)/);
});
