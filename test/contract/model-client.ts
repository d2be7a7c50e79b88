import { isTracemillError, type TracemillError } from "@tracemill/core/errors.ts";
import type { AskDeps } from "@tracemill/core/models/ask.ts";
import { isContextLimit } from "@tracemill/core/models/context-limit.ts";
import { RateLimiter } from "@tracemill/core/models/rate-limiter.ts";
import type { ModelSettings } from "@tracemill/core/ports/model-access.ts";
import type {
  ChatMessage,
  ModelAnswer,
  ModelClient,
  ModelRequest,
} from "@tracemill/core/ports/model-client.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../fakes/clock.ts";
import { faultsBegin, faultsOf, type ModelFault } from "../servers/model-faults.ts";
import type { Fault, ModelReply } from "../servers/model-provider/reply.ts";
import { type ModelProvider, modelProvider } from "../servers/model-provider.ts";

/** Opens a client of a server on this machine. */
export type OpenClient = (
  server: ModelProvider,
  settings: ModelSettings & { idleMs: number },
  deps: AskDeps,
) => ModelClient;

/** The key that clients are given; no error may hold it. */
export const contractKey = "sk-secret-key";

const hello: ChatMessage[] = [{ role: "user", content: "Hello" }];

const weather = {
  type: "function",
  function: {
    name: "weather",
    description: "Says the weather.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

/** A client of a server that replies with `replies` in their order, the last one for ever. */
async function asking(
  open: OpenClient,
  replies: readonly (ModelReply | Fault)[],
  settings: ModelSettings = {},
) {
  const server = await modelProvider({
    script: (_, before) => replies[Math.min(before, replies.length - 1)] ?? { text: "?" },
  });
  const clock = fakeClock(faultsBegin);
  const deps = { clock, random: () => 1, limiter: new RateLimiter({}, clock) };
  const client = open(server, { idleMs: 250, ...settings }, deps);
  const ask = (request: Partial<ModelRequest> = {}): Promise<ModelAnswer> =>
    client.complete({ messages: hello, tools: [], signal: new AbortController().signal, ...request });
  return { client, ask, clock, server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function failureOf(work: Promise<unknown>): Promise<TracemillError> {
  const error = await work.then(() => undefined).catch((thrown: unknown) => thrown);
  if (!isTracemillError(error)) throw new Error(`no TracemillError came: ${String(error)}`);
  return error;
}

/** What every client of a served model promises. */
export function modelClientContract(name: string, protocol: ModelProtocol, open: OpenClient): void {
  describe(`${name}: model client`, () => {
    describe("an answer", () => answers(open));
    describe("a conversation with tools", () => conversations(protocol, open));
    describe("meets", () => faults(protocol, open));
    describe("a request that is stopped", () => stops(open));
  });
}

function answers(open: OpenClient): void {
  test("comes whole, and in pieces to whoever watches", async () => {
    const text = "It is a long answer, with é, 漢字 and 🙂 in it.";
    await using model = await asking(open, [{ text, reasoning: "First I think a little." }]);
    const seen = { text: "", reasoning: "", pieces: 0 };
    const answer = await model.ask({
      onDelta: (delta) => {
        seen.text += delta.text ?? "";
        seen.reasoning += delta.reasoning ?? "";
        seen.pieces += 1;
      },
    });
    expect(answer).toMatchObject({
      text,
      reasoning: "First I think a little.",
      toolCalls: [],
      finish: "stop",
    });
    expect(seen).toMatchObject({ text, reasoning: answer.reasoning });
    expect(seen.pieces).toBeGreaterThan(3);
  });

  test("says what it used: all of the prompt, and of it what was cached", async () => {
    const usage = { promptTokens: 900, completionTokens: 20, cachedTokens: 512 };
    await using model = await asking(open, [{ text: "Hi", usage }]);
    expect((await model.ask()).usage).toMatchObject(usage);
  });

  test("is asked for with the settings", async () => {
    await using model = await asking(open, [{ text: "Hi" }], { maxTokens: 64, temperature: 0.5 });
    await model.ask();
    const { rawBody, model: asked, messages } = model.server.asked[0] ?? {};
    expect(asked).toBe("test-model");
    expect(messages).toEqual([{ role: "user", text: "Hello" }]);
    expect(rawBody).toContain(":64");
    expect(rawBody).toContain(":0.5");
  });
}

function conversations(protocol: ModelProtocol, open: OpenClient): void {
  const called: ModelReply = {
    text: "I look.",
    reasoning: "The weather is outside.",
    toolCalls: [
      { id: "call_a", name: "weather", arguments: { city: "Zürich" } },
      { id: "call_b", name: "weather", arguments: { city: "Genève" } },
    ],
  };

  test("has the calls with their arguments", async () => {
    await using model = await asking(open, [called]);
    const { toolCalls, finish, text } = await model.ask({ tools: [weather] });
    expect({ finish, text }).toEqual({ finish: "tool-calls", text: "I look." });
    expect(toolCalls).toEqual([
      { id: "call_a", name: "weather", arguments: { city: "Zürich" } },
      { id: "call_b", name: "weather", arguments: { city: "Genève" } },
    ]);
    expect(model.server.asked[0]?.tools).toMatchObject([
      { name: "weather", description: "Says the weather.", schema: weather.function.parameters },
    ]);
  });

  test("goes on with what was said, thought, called and found", async () => {
    await using model = await asking(open, [called, { text: "Sun." }]);
    const first = await model.ask({ tools: [weather] });
    await model.ask({
      tools: [weather],
      messages: [...hello, ...turnOf(first, { call_a: "sun", call_b: "rain" })],
    });
    const messages = model.server.asked[1]?.messages ?? [];
    expect(messages.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id }) => id))).toEqual([
      "call_a",
      "call_b",
    ]);
    expect(messages.filter(({ role }) => role === "tool")).toMatchObject([
      { callId: "call_a", text: "sun" },
      { callId: "call_b", text: "rain" },
    ]);
    // The Responses API takes reasoning back only where it was sealed, which it is for OpenAI's own models alone.
    expect(messages.map(({ reasoning }) => reasoning).filter(Boolean)).toEqual(
      protocol === "responses" ? [] : ["The weather is outside."],
    );
  });
}

/** The conversation's next messages, as an agent makes them of an answer and of what its tools said. */
function turnOf(answer: ModelAnswer, results: Record<string, string>): ChatMessage[] {
  const calls = answer.toolCalls.map(({ id, name, arguments: args }) => ({
    id,
    type: "function" as const,
    function: { name, arguments: JSON.stringify(args) },
  }));
  const said: ChatMessage = {
    role: "assistant",
    content: answer.text,
    ...(answer.reasoning === undefined ? {} : { reasoning_content: answer.reasoning }),
    tool_calls: calls,
    ...(answer.carry === undefined ? {} : { carry: JSON.parse(JSON.stringify(answer.carry)) }),
  };
  const found = Object.entries(results).map(([id, content]) => ({
    role: "tool" as const,
    tool_call_id: id,
    content,
  }));
  return [said, ...found];
}

function faults(protocol: ModelProtocol, open: OpenClient): void {
  test.each(faultsOf(protocol))("$name: $outcome", async (fault) => {
    await using model = await asking(open, [fault.reply, { text: "Well." }]);
    const ask = model.ask();
    if (fault.outcome === "again") {
      expect((await ask).text).toBe("Well.");
      expect(model.server.asked).toHaveLength(2);
      expect(model.clock.sleeps[0]).toBe(fault.waitMs ?? 500);
    } else {
      await meets(fault, ask);
      expect(model.server.asked).toHaveLength(1);
    }
  });

  test("a fault that stays: the attempt failed, and may be made again", async () => {
    const sick = faultsOf(protocol).find(({ name }) => name === "500");
    await using model = await asking(open, [sick?.reply ?? { text: "no such fault" }], { maxRetries: 2 });
    const error = await failureOf(model.ask());
    expect(error).toMatchObject({ code: "model-failed", retryable: true });
    expect(error.message).toMatch(/^test-model .*Internal error\. \(asked 3 times\)$/);
    expect(model.server.asked).toHaveLength(3);
  });

  test("an answer that never comes: time runs out", async () => {
    await using model = await asking(open, [() => {}], { timeoutMs: 150, maxRetries: 0 });
    expect((await failureOf(model.ask())).message).toMatch(/no whole answer (?:with)?in/);
  });
}

async function meets({ outcome, says = /./, reply }: ModelFault, ask: Promise<ModelAnswer>): Promise<void> {
  if (outcome === "answered") {
    expect(await ask).toMatchObject({ text: (reply as ModelReply).text, finish: "stop" });
    return;
  }
  if (outcome === "refusal" || outcome === "length") {
    const { finish, text } = await ask;
    expect(finish).toBe(outcome);
    expect(text).toMatch(says);
    return;
  }
  const error = await failureOf(ask);
  expect(error).toMatchObject({ code: "model-failed", retryable: outcome === "failed" });
  expect(error.message).toMatch(/^test-model /);
  expect(error.message).toMatch(says);
  expect(error.message).not.toContain(contractKey);
  expect(isContextLimit(error)).toBe(outcome === "context-limit");
}

function stops(open: OpenClient): void {
  test("while the model thinks ends at once", async () => {
    const stopping = new AbortController();
    await using model = await asking(open, [() => stopping.abort()]);
    expect(await failureOf(model.ask({ signal: stopping.signal }))).toMatchObject({ code: "cancelled" });
  });

  test("while the answer streams ends at once", async () => {
    const stopping = new AbortController();
    const stalled: ModelReply = {
      text: "Half of it, with more to come",
      breakOff: { afterEvents: 5, how: "stall" },
    };
    await using model = await asking(open, [stalled]);
    const asked = model.ask({ signal: stopping.signal, onDelta: () => stopping.abort() });
    expect(await failureOf(asked)).toMatchObject({ code: "cancelled" });
    expect(model.server.asked).toHaveLength(1);
  });

  test("before it is sent is not sent", async () => {
    await using model = await asking(open, [{ text: "Hi" }]);
    expect(await failureOf(model.ask({ signal: AbortSignal.abort() }))).toMatchObject({ code: "cancelled" });
    expect(model.server.asked).toHaveLength(0);
  });
}
