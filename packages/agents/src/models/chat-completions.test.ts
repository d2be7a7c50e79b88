import { isTracemillError, type TracemillError } from "@tracemill/core/errors.ts";
import type { ChatMessage, ModelRequest } from "@tracemill/core/ports/model-client.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { manualClock } from "../../../../test/fakes/manual-clock.ts";
import { calls, completion, type Reply, scriptedModel } from "../../../../test/servers/scripted-model.ts";
import { ChatCompletions, type ChatCompletionsOptions } from "./chat-completions.ts";
import { isContextLimit } from "./verdict.ts";

const hello: ChatMessage[] = [{ role: "user", content: "Hello" }];

/** A client of a server that replies with `replies` in their order, the last one for ever. */
async function clientOf(replies: readonly Reply[], options: Partial<ChatCompletionsOptions> = {}) {
  const server = await scriptedModel((_, before) => {
    const reply = replies[Math.min(before, replies.length - 1)];
    if (reply === undefined) throw new Error("no reply");
    return reply;
  });
  const clock = fakeClock();
  const client = new ChatCompletions(
    { baseUrl: server.baseUrl, model: "m", ...options },
    { clock, random: () => 1 },
  );
  const ask = (request: Partial<ModelRequest> = {}) =>
    client.complete({ messages: hello, tools: [], signal: new AbortController().signal, ...request });
  return {
    client,
    ask,
    clock,
    asked: server.asked,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function failureOf(work: Promise<unknown>): Promise<TracemillError> {
  const error = await work.then(() => undefined).catch((thrown: unknown) => thrown);
  if (!isTracemillError(error)) throw new Error(`no TracemillError came: ${String(error)}`);
  return error;
}

const hi = completion({ content: "Hi" });
const refused = (status: number, message: string, headers: Record<string, string> = {}): Reply => ({
  status,
  headers,
  body: { error: { message, type: "x", code: null } },
});

describe("what a model is asked", () => {
  test("goes to chat/completions with the settings of the spec", async () => {
    await using model = await clientOf([hi], {
      label: "acme/m",
      apiKey: "sk-1",
      maxTokens: 64,
      temperature: 0.5,
      extraBody: { seed: 7 },
    });
    await model.ask();
    expect(model.client.model).toBe("acme/m");
    const [{ path, headers, body } = { path: "", headers: {}, body: {} }] = model.asked;
    expect(path).toBe("/v1/chat/completions");
    expect(headers.authorization).toBe("Bearer sk-1");
    expect(body).toEqual({ model: "m", messages: hello, max_tokens: 64, temperature: 0.5, seed: 7 });
  });

  test("says nothing of what was not set, and no base URL ends in a slash too many", async () => {
    const server = await scriptedModel(() => hi);
    await using _ = server;
    const client = new ChatCompletions(
      { baseUrl: `${server.baseUrl}/`, model: "m" },
      { clock: fakeClock(), random: () => 0 },
    );
    await client.complete({ messages: hello, tools: [], signal: new AbortController().signal });
    expect(server.asked[0]?.path).toBe("/v1/chat/completions");
    expect(server.asked[0]?.headers.authorization).toBeUndefined();
    expect(server.asked[0]?.body).toEqual({ model: "m", messages: hello });
  });

  test("has the model's reasoning under the name that the server itself uses", async () => {
    const thought = completion({ content: "", reasoning: "hm" });
    await using model = await clientOf([thought, hi]);
    const { reasoning } = await model.ask();
    expect(reasoning).toBe("hm");
    const toolCalls = [{ id: "a", type: "function" as const, function: { name: "bash", arguments: "{}" } }];
    await model.ask({
      messages: [
        ...hello,
        { role: "assistant", content: "", reasoning_content: "hm", tool_calls: toolCalls },
        { role: "tool", content: "", tool_call_id: "a" },
      ],
    });
    expect(model.asked[1]?.body.messages.slice(1)).toEqual([
      { role: "assistant", content: null, reasoning: "hm", tool_calls: toolCalls },
      { role: "tool", content: "", tool_call_id: "a" },
    ]);
  });
});

describe("what a model answers", () => {
  test("is its text, its use of tokens and what it is worth for training", async () => {
    const reply = completion(
      { content: "Hi" },
      {
        usage: {
          prompt_tokens: 9,
          completion_tokens: 2,
          prompt_tokens_details: { cached_tokens: 4 },
          cost: 0.25,
        },
        prompt_token_ids: [1, 2],
        choices: [
          {
            message: { content: "Hi" },
            finish_reason: "stop",
            token_ids: [3, 4],
            logprobs: {
              content: [
                { token: "H", logprob: -0.5 },
                { token: "i", logprob: 0 },
              ],
            },
          },
        ],
      },
    );
    await using model = await clientOf([reply]);
    expect(await model.ask()).toEqual({
      text: "Hi",
      toolCalls: [],
      finish: "stop",
      usage: { promptTokens: 9, completionTokens: 2, cachedTokens: 4, costUsd: 0.25 },
      tokens: { prompt: [1, 2], completion: [3, 4], logprobs: [-0.5, 0] },
    });
  });

  test("are calls of tools, whatever their arguments look like", async () => {
    const exact = '{"id": 12345678901234567890}';
    await using model = await clientOf([calls(["a", { x: 1 }], ["b", "{broken"], ["c", ""], ["d", exact])]);
    const { toolCalls, finish, text } = await model.ask();
    expect({ finish, text }).toEqual({ finish: "tool-calls", text: "" });
    expect(toolCalls).toEqual([
      { id: "call_0", name: "a", arguments: { x: 1 } },
      { id: "call_1", name: "b", arguments: { _raw: "{broken" }, extra: { arguments_not_object: true } },
      { id: "call_2", name: "c", arguments: {} },
      { id: "call_3", name: "d", arguments: JSON.parse(exact), extra: { raw_arguments: exact } },
    ]);
  });

  test("has calls whose ids differ, also where the server's do not", async () => {
    const call = (id: string | null) => ({ id, type: "function", function: { name: "a", arguments: {} } });
    await using model = await clientOf([completion({ tool_calls: [call("x"), call("x"), call(null)] })]);
    expect((await model.ask()).toolCalls.map(({ id }) => id)).toEqual(["x", "call_2_x", "call_3"]);
  });

  test.each([
    ["stop", { content: "x" }, "stop"],
    [null, { content: "x" }, "stop"],
    ["eos_token", { content: "x" }, "stop"],
    ["tool_calls", { content: "x", tool_calls: [] }, "stop"],
    ["stop", { tool_calls: [{ id: "i", function: { name: "a", arguments: "{}" } }] }, "tool-calls"],
    ["length", { content: "x" }, "length"],
    ["content_filter", { content: null }, "refusal"],
    ["stop", { content: null, refusal: "No." }, "refusal"],
  ])("ends with %j for %j: %s", async (finish, message, expected) => {
    await using model = await clientOf([completion(message, { finish })]);
    expect((await model.ask()).finish).toBe(expected);
  });

  test("may come in parts, and a refusal's words are its text", async () => {
    const parts = [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ];
    await using model = await clientOf([
      completion({ content: parts }),
      completion({ content: null, refusal: "No." }),
    ]);
    expect((await model.ask()).text).toBe("a\nb");
    expect((await model.ask()).text).toBe("No.");
  });
});

describe("a server in trouble", () => {
  test.each<[string, Reply]>([
    ["is too busy", refused(429, "slow down")],
    ["restarts", refused(503, "loading")],
    ["breaks the connection", (response) => response.destroy()],
    [
      "breaks off inside the answer",
      (response) => response.writeHead(200, { "content-length": 99 }).write("{", () => response.destroy()),
    ],
    ["answers half a JSON", { body: '{"choices": [' }],
    ["answers 200 with an error inside", { body: { error: { message: "upstream died", code: 502 } } }],
    ["says that it broke off", completion({ content: "Half" }, { finish: "abort" })],
  ])("that %s is asked again", async (_, trouble) => {
    await using model = await clientOf([trouble, trouble, hi]);
    expect((await model.ask()).text).toBe("Hi");
    expect(model.clock.sleeps).toEqual([500, 1_000]);
  });

  test("is left alone for as long as it wants", async () => {
    const date = new Date(Date.parse("2026-01-01T00:00:30Z")).toUTCString();
    await using model = await clientOf([
      refused(429, "x", { "retry-after": "7" }),
      refused(503, "x", { "retry-after": date }),
      hi,
    ]);
    await model.ask();
    expect(model.clock.sleeps).toEqual([7_000, 23_000]);
  });

  test("that wants too long a pause is given up at once", async () => {
    await using model = await clientOf([refused(429, "quota of the day", { "retry-after": "3600" })]);
    const error = await failureOf(model.ask());
    expect(error).toMatchObject({ code: "model-failed", retryable: true });
    expect(error.message).toMatch(/quota of the day; it asks to wait 60 minutes/);
    expect(model.asked).toHaveLength(1);
  });

  test("that stays so fails the attempt, which may be made again", async () => {
    await using model = await clientOf([refused(500, "EngineCore encountered an issue.")], { maxRetries: 2 });
    const error = await failureOf(model.ask());
    expect(error).toMatchObject({ code: "model-failed", retryable: true });
    expect(error.message).toMatch(
      /^m at http:.*HTTP 500: EngineCore encountered an issue. \(asked 3 times\)$/,
    );
  });

  test("that is not there is named with its address", async () => {
    await using model = await clientOf([hi], { baseUrl: "http://127.0.0.1:9/v1", maxRetries: 0 });
    expect((await failureOf(model.ask())).message).toMatch(/127\.0\.0\.1:9\/v1: .*ECONNREFUSED/);
  });

  test("that never ends its answer runs out of time", async () => {
    await using model = await clientOf([(response) => void response.writeHead(200).write(" ")], {
      maxRetries: 0,
      timeoutMs: 100,
    });
    expect((await failureOf(model.ask())).message).toContain("no whole answer within");
  });

  test("that answers nonsense fails the attempt, naming the field", async () => {
    await using model = await clientOf([{ body: { choices: [{ message: { tool_calls: "x" } }] } }]);
    const error = await failureOf(model.ask());
    expect(error).toMatchObject({ code: "model-failed", retryable: true });
    expect(error.message).toContain("choices.0.message.tool_calls");
  });
});

describe("a refusal", () => {
  test.each([
    [401, "Incorrect API key provided: sk-secret", /HTTP 401.*\*\*\*.*another API key/],
    [404, "The model `m` does not exist.", /does not exist.*Check the model's name/],
    [400, "Invalid 'tools'", /HTTP 400: Invalid 'tools'$/],
    [429, "You exceeded your current quota (insufficient_quota)", /HTTP 429/],
    [308, "moved", /HTTP 308.*redirects/],
  ])("with %i is final and says why, without the key", async (status, message, expected) => {
    await using model = await clientOf([refused(status, message)], { apiKey: "sk-secret" });
    const error = await failureOf(model.ask());
    expect(error).toMatchObject({ code: "model-failed", retryable: false });
    expect(error.message).toMatch(expected);
    expect(error.message).not.toContain("sk-secret");
    expect(isContextLimit(error)).toBe(false);
    expect(model.asked).toHaveLength(1);
  });

  test.each([
    [400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"],
    [400, "The decoder prompt (length 5000) is longer than the maximum model length of 4096."],
    [400, "The input (5000 tokens) is longer than the model's context length (4096 tokens)."],
    [400, "the request exceeds the available context size. try increasing the context size"],
    [422, "`inputs` tokens + `max_new_tokens` must be <= 4096"],
    [400, "prompt is too long: 210000 tokens > 200000 maximum"],
  ])("of a conversation that is too long can be told: %i %s", async (status, message) => {
    await using model = await clientOf([refused(status, message)]);
    expect(isContextLimit(await failureOf(model.ask()))).toBe(true);
  });

  test("of a conversation that is too long can be told by OpenAI's code", async () => {
    const body = { error: { message: "Too much.", code: "context_length_exceeded" } };
    await using model = await clientOf([{ status: 400, body }]);
    expect(isContextLimit(await failureOf(model.ask()))).toBe(true);
  });
});

describe("a request that is stopped", () => {
  test("while the model thinks ends at once", async () => {
    const stopping = new AbortController();
    await using model = await clientOf([() => stopping.abort()]);
    expect(await failureOf(model.ask({ signal: stopping.signal }))).toMatchObject({ code: "cancelled" });
  });

  test("while it waits to ask again ends at once", async () => {
    const stopping = new AbortController();
    const clock = manualClock();
    await using server = await scriptedModel(() => refused(503, "loading"));
    const client = new ChatCompletions({ baseUrl: server.baseUrl, model: "m" }, { clock, random: () => 1 });
    const asked = failureOf(client.complete({ messages: hello, tools: [], signal: stopping.signal }));
    await expect.poll(() => clock.sleepers).toBe(1);
    stopping.abort();
    expect(await asked).toMatchObject({ code: "cancelled" });
  });
});
