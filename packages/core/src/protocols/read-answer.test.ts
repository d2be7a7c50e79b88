import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isTracemillError } from "../errors.ts";
import { errorBody } from "./error-body.ts";
import { modelOf } from "./model-name.ts";
import { isOverflow } from "./overflow.ts";
import { ModelProtocol } from "./protocol.ts";
import { failureIn, readAnswer } from "./read-answer.ts";
import { usageOf } from "./usage.ts";

describe.each(ModelProtocol.options)("%s", (protocol) => {
  test("any body is an answer or a model-failed error that says where", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        usageOf(protocol, body);
        failureIn(protocol, body);
        try {
          readAnswer(protocol, body, "m at http://here");
        } catch (error) {
          expect(isTracemillError(error, "model-failed")).toBe(true);
          expect(String(error)).toContain("m at http://here");
        }
      }),
    );
  });

  test("an error is shaped so that it is seen as one", () => {
    const { body, headers } = errorBody(protocol, { status: 400, message: "the cap is reached" });
    expect(JSON.stringify(body)).toContain("the cap is reached");
    const isSeen = failureIn(protocol, body) === "the cap is reached";
    expect(isSeen || headers["x-amzn-errortype"] === "ValidationException").toBe(true);
  });
});

test("prompt tokens include those of the cache, in every protocol", () => {
  const expected = { promptTokens: 100, completionTokens: 7, cachedTokens: 60, cacheWriteTokens: 30 };
  const messages = {
    input_tokens: 10,
    cache_read_input_tokens: 60,
    cache_creation_input_tokens: 30,
    output_tokens: 7,
  };
  const converse = { inputTokens: 10, cacheReadInputTokens: 60, cacheWriteInputTokens: 30, outputTokens: 7 };
  expect(usageOf("messages", { usage: messages })).toEqual(expected);
  expect(usageOf("converse", { usage: converse })).toEqual(expected);
  const responses = { input_tokens: 100, input_tokens_details: { cached_tokens: 60 }, output_tokens: 7 };
  const plain = { promptTokens: 100, completionTokens: 7, cachedTokens: 60 };
  expect(usageOf("responses", { usage: responses })).toEqual(plain);
  const chat = { prompt_tokens: 100, prompt_cache_hit_tokens: 60, completion_tokens: 7, cost: 0.25 };
  expect(usageOf("chat-completions", { usage: chat })).toEqual({ ...plain, costUsd: 0.25 });
  const thoughtsApart = {
    prompt_tokens: 100,
    prompt_cache_hit_tokens: 60,
    completion_tokens: 2,
    total_tokens: 107,
  };
  expect(usageOf("chat-completions", { usage: thoughtsApart })).toEqual(plain);
  const nothingTold = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  expect(usageOf("chat-completions", { usage: nothingTold })).toBeUndefined();
});

test.each([
  ["chat-completions", { choices: [{ message: { content: "x" }, finish_reason: "length" }] }, "length"],
  ["chat-completions", { choices: [{ message: { content: null, refusal: "No." } }] }, "refusal"],
  [
    "responses",
    { status: "incomplete", incomplete_details: { reason: "max_output_tokens" }, output: [] },
    "length",
  ],
  [
    "responses",
    { status: "incomplete", incomplete_details: { reason: "content_filter" }, output: [] },
    "refusal",
  ],
  [
    "responses",
    { status: "completed", output: [{ type: "message", content: [{ type: "refusal", refusal: "No." }] }] },
    "refusal",
  ],
  ["messages", { content: [], stop_reason: "model_context_window_exceeded" }, "length"],
  ["messages", { content: [], stop_reason: "pause_turn" }, "more"],
  ["messages", { content: [], stop_reason: "refusal" }, "refusal"],
  ["converse", { output: { message: { content: [] } }, stopReason: "guardrail_intervened" }, "refusal"],
  ["converse", { output: { message: { content: [] } }, stopReason: "end_turn" }, "stop"],
] as const)("%s: how an answer ended is told (%j)", (protocol, body, finish) => {
  expect(readAnswer(protocol, body, "here").finish).toBe(finish);
});

test("arguments that are no JSON are kept as they came", () => {
  const call = { type: "function_call", call_id: "c", name: "f", arguments: '{"a":' };
  const { toolCalls } = readAnswer("responses", { output: [call] }, "here");
  expect(toolCalls).toEqual([
    { id: "c", name: "f", arguments: { _raw: '{"a":' }, extra: { arguments_not_object: true } },
  ]);
});

test("a server's failure under status 200 is told in its words", () => {
  const failed = { status: "failed", error: { code: "server_error", message: "out of memory" }, output: [] };
  expect(failureIn("responses", failed)).toBe("out of memory");
  expect(failureIn("chat-completions", { error: { message: "no backend" } })).toBe("no backend");
  expect(failureIn("chat-completions", { choices: [{ finish_reason: "abort" }] })).toContain("broke");
  expect(failureIn("messages", { type: "error", error: { message: "Overloaded" } })).toBe("Overloaded");
  expect(failureIn("messages", { type: "message", content: [] })).toBeUndefined();
});

test("the model is the one that answered, else the one that was asked for", () => {
  const request = { model: "gpt-5" };
  const path = "/v1/responses";
  expect(modelOf("responses", { path, request, answer: { model: "gpt-5-2025" } })).toBe("gpt-5-2025");
  expect(modelOf("responses", { path, request })).toBe("gpt-5");
  expect(modelOf("converse", { path: "/model/a%3A0/converse-stream", request: {} })).toBe("a:0");
});

test.each([
  "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
  "Your input exceeds the context window of this model. Please adjust your input and try again.",
  "prompt is too long: 210000 tokens > 200000 maximum",
  "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
  "Input is too long for requested model.",
  "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
  "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
  "the request exceeds the available context size. try increasing the context size or enable context shift",
  "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
  "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
  "`inputs` tokens + `max_new_tokens` must be <= 8193.",
])("a conversation that is too long is told from other refusals: %s", (words) => {
  expect(isOverflow(400, words)).toBe(true);
  expect(isOverflow(429, words)).toBe(false);
});

test("other refusals are no overflow", () => {
  expect(isOverflow(400, "Unsupported parameter: temperature")).toBe(false);
});
