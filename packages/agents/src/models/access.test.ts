import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AskingClient } from "@tracemill/core/models/answer-cache.ts";
import type { ModelRequest } from "@tracemill/core/ports/model-client.ts";
import { createRedactor } from "@tracemill/core/redact/create.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { manualClock } from "../../../../test/fakes/manual-clock.ts";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { providerError } from "../../../../test/servers/model-provider/errors.ts";
import { modelProvider } from "../../../../test/servers/model-provider.ts";
import { createModelAccess, type ModelAccessDeps, type ModelAccessOptions } from "./access.ts";

const keys: Record<string, string> = { OPENAI_API_KEY: "sk-openai", ANTHROPIC_API_KEY: " sk-anthropic\n" };

function accessOf(options: Partial<ModelAccessOptions> = {}, deps: Partial<ModelAccessDeps> = {}) {
  return createModelAccess(
    { providers: {}, prices: {}, modelCache: false, ...options },
    { secrets: { get: async (name) => keys[name] }, clock: fakeClock(), random: () => 1, ...deps },
  );
}

function hello(more: Partial<ModelRequest> = {}): ModelRequest {
  return {
    messages: [{ role: "user", content: "Hello" }],
    tools: [],
    signal: new AbortController().signal,
    ...more,
  };
}

const usage = { promptTokens: 1_000_000, completionTokens: 100_000 };

describe("a model by its reference", () => {
  test("is asked at its provider, by its protocol, with its key, and costs what the table says", async () => {
    await using server = await modelProvider({ script: () => ({ text: "Hi", usage }) });
    const models = accessOf({
      providers: { openai: { url: `${server.origin}/v1` }, anthropic: { url: server.origin } },
    });
    const openai = await models.open("openai/gpt-5.2");
    const anthropic = await models.open("anthropic/claude-haiku-4-5");
    expect([openai.model, anthropic.model]).toEqual(["openai/gpt-5.2", "anthropic/claude-haiku-4-5"]);
    expect((await openai.complete(hello())).usage?.costUsd).toBeCloseTo(1.75 + 1.4, 10);
    expect((await anthropic.complete(hello())).usage?.costUsd).toBeCloseTo(1.5, 10);
    expect(
      server.asked.map(({ protocol, model, headers }) => [
        protocol,
        model,
        headers.authorization ?? headers["x-api-key"],
      ]),
    ).toEqual([
      ["responses", "gpt-5.2", "Bearer sk-openai"],
      ["messages", "claude-haiku-4-5", "sk-anthropic"],
    ]);
  });

  test("whose server says nothing of usage has a guess with its price, and no usage", async () => {
    const text = "x".repeat(399);
    const said = JSON.stringify({ choices: [{ message: { content: text }, finish_reason: "stop" }] });
    await using server = await modelProvider({
      script: () => (response) => {
        response.writeHead(200, { "content-type": "application/json" }).end(said);
      },
    });
    const reference = `${server.origin}/v1#m`;
    const models = accessOf({ prices: { [reference]: { input: 0, output: 10_000 } } });
    const answer = await (await models.open(reference)).complete(hello());
    expect(answer.usage).toBeUndefined();
    expect(answer.guessedUsage).toMatchObject({ completionTokens: 100, costUsd: 1 });
    expect(answer.guessedUsage?.promptTokens).toBeGreaterThan(0);
  });

  test("is a server's by its address, the only one or the one that is named", async () => {
    await using server = await modelProvider({ script: () => ({ text: "Hi" }), models: ["org/only"] });
    const url = `${server.origin}/v1`;
    const models = accessOf({ prices: { [url]: { input: 1, output: 2 } } });
    const only = await models.open(url);
    expect((await only.complete(hello())).usage?.costUsd).toBeCloseTo(0.00012, 10);
    const named = await models.open(`${url}#org%2Fother`, { label: "mine/other" });
    expect(named.model).toBe("mine/other");
    expect((await named.complete(hello())).usage).not.toHaveProperty("costUsd");
    await models.open(url);
    expect(server.asked.map(({ model }) => model)).toEqual(["org/only", "org/other"]);
    expect(server.others).toEqual(["GET /v1/models"]);
  });

  test("wants its name where a server has several", async () => {
    await using server = await modelProvider({ script: () => ({}), models: ["a", "b"] });
    await expect(accessOf().open(`${server.origin}/v1`)).rejects.toMatchObject({
      code: "invalid-spec",
      message: expect.stringMatching(/2 models; say which: http.*\/v1#a, http.*\/v1#b/),
    });
  });

  test("wants its key, and says where it is looked for", async () => {
    await expect(accessOf().open("groq/m")).rejects.toMatchObject({
      code: "unauthorized",
      message: expect.stringMatching(
        /groq\/m.*set the variable GROQ_API_KEY \(on AWS the secret GROQ_API_KEY\)/,
      ),
    });
  });

  test("has the price that the user says, also by another name", async () => {
    await using server = await modelProvider({ script: () => ({ text: "Hi", usage }) });
    const models = accessOf({
      providers: { acme: { url: `${server.origin}/v1` } },
      prices: { "acme/m": { input: 0, output: 10 } },
    });
    const byLabel = await models.open(`${server.origin}/v1#x`, { label: "acme/m" });
    expect((await byLabel.complete(hello())).usage?.costUsd).toBeCloseTo(1, 10);
    const unknown = await models.open("acme/n");
    expect((await unknown.complete(hello())).usage).not.toHaveProperty("costUsd");
  });

  test("says nothing when it is noop", async () => {
    const model = await accessOf().open("noop/x");
    expect(model.replayed).toBe(true);
    expect(await model.complete(hello())).toEqual({ text: "", toolCalls: [], finish: "stop" });
  });
});

describe("a recording as a model", () => {
  const recording = {
    schema_version: "ATIF-v1.6" as const,
    session_id: "s",
    agent: { name: "a", version: "1", model_name: "acme/m" },
    steps: [
      { step_id: 1, source: "user" as const, message: "Hello" },
      { step_id: 2, source: "agent" as const, message: "Hi", reasoning_content: "Hm." },
    ],
  };

  test("gives its answers, from a file or as the trial's own", async () => {
    await using dir = await tempDir();
    await mkdir(dir.path, { recursive: true });
    const path = join(dir.path, "trajectory.json");
    await writeFile(path, JSON.stringify(recording));
    for (const model of [
      await accessOf().open(`replay/${path}`),
      await accessOf().open("replay/reference", { reference: recording as never }),
    ]) {
      const seen: unknown[] = [];
      expect(model.replayed).toBe(true);
      expect(await model.complete(hello({ onDelta: (delta) => seen.push(delta) }))).toMatchObject({
        text: "Hi",
        reasoning: "Hm.",
        finish: "stop",
      });
      expect(seen).toEqual([{ reasoning: "Hm." }, { text: "Hi" }]);
    }
  });

  test.each([
    ["replay/reference", /no recorded solution to play/],
    ["replay/nowhere.json", /nowhere\.json cannot be read/],
  ])("that is not there is refused: %s", async (reference, message) => {
    await expect(accessOf().open(reference)).rejects.toMatchObject({ code: "invalid-spec", message });
  });
});

describe("what the models of a process share", () => {
  test("is a provider's pause: one is told, all wait", async () => {
    const clock = manualClock();
    const full = providerError({ status: 429, message: "slow down", headers: { "retry-after": "5" } });
    await using server = await modelProvider({
      script: (_, before) => (before === 0 ? full : { text: "Hi" }),
    });
    const models = accessOf({ providers: { acme: { url: `${server.origin}/v1` } } }, { clock });
    const first = (await models.open("acme/m")).complete(hello());
    await expect.poll(() => clock.sleepers).toBe(1);
    const second = (await models.open("acme/n")).complete(hello());
    await clock.advance(4_900);
    expect(server.asked).toHaveLength(1);
    await clock.advance(200);
    await Promise.all([first, second]);
    expect(server.asked).toHaveLength(3);
  });

  test("is its rate limit, which others do not feel", async () => {
    const clock = fakeClock();
    await using server = await modelProvider({ script: () => ({ text: "Hi" }) });
    const url = `${server.origin}/v1`;
    const models = accessOf({ providers: { slow: { url, requestsPerMinute: 6 }, fast: { url } } }, { clock });
    for (const name of ["slow/a", "fast/a", "slow/b", "fast/b"]) {
      await (await models.open(name)).complete(hello());
    }
    expect(clock.sleeps).toEqual([10_000]);
  });

  test("is the cache, where it is on", async () => {
    await using server = await modelProvider({ script: () => ({ text: "Hi", usage }) });
    const objects = memoryObjectStore();
    const asked = async (modelCache: boolean) => {
      const models = accessOf(
        { providers: { openai: { url: `${server.origin}/v1` } }, modelCache },
        { objects, redactor: () => createRedactor() },
      );
      return (await models.open("openai/gpt-5.2")).complete(hello());
    };
    expect((await asked(true)).usage?.costUsd).toBeCloseTo(3.15, 10);
    expect(await asked(true)).toMatchObject({ text: "Hi", cached: true, usage: { costUsd: 0 } });
    expect(await asked(false)).not.toHaveProperty("cached");
    expect(server.asked).toHaveLength(2);
  });
});

test.each(["sk-…", "sk-1 sk-2", "sk-1\nsk-2"])(
  "a key that no header can hold is told of at once, and not repeated: %j",
  async (value) => {
    const models = accessOf({}, { secrets: { get: async () => value } });
    for (const asked of [models.open("openai/gpt-5.2"), models.upstream("openai/gpt-5.2")]) {
      const error = await asked.catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: "unauthorized",
        message: expect.stringContaining("OPENAI_API_KEY"),
      });
      expect(String(error)).not.toContain("sk-");
    }
  },
);

describe("where a proxy sends requests", () => {
  test("is the provider, with its key and the model's price", async () => {
    expect(await accessOf().upstream("anthropic/claude-haiku-4-5")).toEqual({
      protocol: "messages",
      baseUrl: "https://api.anthropic.com",
      headers: { "anthropic-version": "2023-06-01", "x-api-key": "sk-anthropic" },
      model: "claude-haiku-4-5",
      price: expect.objectContaining({ input: 1, output: 5 }),
    });
    expect(await accessOf().upstream("http://127.0.0.1:8000/v1#m")).toEqual({
      protocol: "chat-completions",
      baseUrl: "http://127.0.0.1:8000/v1",
      headers: {},
      model: "m",
    });
  });

  test.each(["replay/reference", "noop/x"])("is nowhere for %s", async (reference) => {
    await expect(accessOf().upstream(reference)).rejects.toMatchObject({ code: "unsupported" });
  });

  test("is Bedrock only with a key of its own, since a proxy signs nothing", async () => {
    const reference = "bedrock/us.anthropic.claude-sonnet-4-6";
    await expect(accessOf().upstream(reference)).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("AWS_BEARER_TOKEN_BEDROCK"),
    });
    const secrets = { get: async () => "bedrock-key" };
    const models = accessOf({ providers: { bedrock: { region: "eu-west-1" } } }, { secrets });
    expect(await models.upstream(reference)).toMatchObject({
      protocol: "converse",
      baseUrl: "https://bedrock-runtime.eu-west-1.amazonaws.com",
      headers: { authorization: "Bearer bedrock-key" },
    });
  });
});

describe("a model on Bedrock", () => {
  test("is opened by who has the AWS SDK, in the spec's region", async () => {
    const opened: unknown[] = [];
    const client: AskingClient = {
      model: "bedrock/m",
      bodyOf: () => ({}),
      complete: async () => ({ text: "Hi", toolCalls: [], finish: "stop" }),
    };
    const models = accessOf(
      { providers: { bedrock: { region: "eu-west-1" } } },
      {
        bedrock: async (hosted) => {
          opened.push(hosted);
          return client;
        },
      },
    );
    const model = await models.open("bedrock/m", { temperature: 0 });
    expect(await model.complete(hello())).toMatchObject({ text: "Hi" });
    expect(opened).toEqual([
      { model: "m", label: "bedrock/m", region: "eu-west-1", settings: { temperature: 0 } },
    ]);
    await expect(accessOf().open("bedrock/m")).rejects.toMatchObject({ code: "unsupported" });
  });
});
