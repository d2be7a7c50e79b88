import { RateLimiter } from "@tracemill/core/models/rate-limiter.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { providerError } from "../../../../test/servers/model-provider/errors.ts";
import type { Fault, ModelReply } from "../../../../test/servers/model-provider/reply.ts";
import { type ModelProvider, modelProvider } from "../../../../test/servers/model-provider.ts";
import { ProtocolClient, type ProtocolClientOptions } from "./protocol-client.ts";

async function clientOf(
  script: (number: number, body: Record<string, unknown>) => ModelReply | Fault,
  options: Partial<ProtocolClientOptions> = {},
  protocol: ModelProtocol = "chat-completions",
) {
  const server = await modelProvider({ script: ({ body }, before) => script(before, body) });
  const clock = fakeClock();
  const deps = { clock, random: () => 1, limiter: new RateLimiter({}, clock) };
  const base = { protocol, baseUrl: server.baseUrl(protocol), model: "m", ...options };
  const client = new ProtocolClient(base, deps);
  const ask = () =>
    client.complete({
      messages: [{ role: "user", content: "Hello" }],
      tools: [],
      signal: new AbortController().signal,
    });
  return { client, ask, server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const bodies = ({ asked }: ModelProvider): Record<string, unknown>[] => asked.map(({ body }) => body);

describe("a request", () => {
  test("has the key, the settings and further fields, and is known by its label", async () => {
    await using model = await clientOf(() => ({ text: "Hi" }), {
      label: "acme/m",
      key: "sk-1",
      maxTokens: 64,
      extraBody: { seed: 7, return_token_ids: true },
    });
    await model.ask();
    expect(model.client.model).toBe("acme/m");
    expect(model.server.asked[0]).toMatchObject({ path: "/v1/chat/completions" });
    expect(model.server.asked[0]?.headers.authorization).toBe("Bearer sk-1");
    expect(model.server.asked[0]?.body).toMatchObject({ model: "m", max_tokens: 64, seed: 7, stream: true });
  });

  test("goes to the server's path, however its base URL ends", async () => {
    await using server = await modelProvider({ script: () => ({ text: "Hi" }) });
    await using model = await clientOf(() => ({ text: "?" }), { baseUrl: `${server.origin}/v1//` });
    await model.ask();
    expect(server.asked[0]?.path).toBe("/v1/chat/completions");
  });

  test("says to Anthropic which version it speaks", async () => {
    await using model = await clientOf(() => ({ text: "Hi" }), { key: "sk-1" }, "messages");
    await model.ask();
    const { headers, path } = model.server.asked[0] ?? {};
    expect({ path, key: headers?.["x-api-key"], version: headers?.["anthropic-version"] }).toEqual({
      path: "/v1/messages",
      key: "sk-1",
      version: "2023-06-01",
    });
  });
});

test("a model of OpenAI gets its sealed reasoning back with its turn", async () => {
  const said: ModelReply = { text: "Hi", reasoning: "Hm." };
  await using model = await clientOf(() => said, { model: "gpt-5.2" }, "responses");
  const { text, carry } = await model.ask();
  await model.client.complete({
    messages: [
      { role: "user", content: "Hello" },
      { role: "assistant", content: text, carry: JSON.parse(JSON.stringify(carry)) },
      { role: "user", content: "And now?" },
    ],
    tools: [],
    signal: new AbortController().signal,
  });
  const sealed = Buffer.from("sealed-1").toString("base64");
  expect(bodies(model.server)[1]?.input).toContainEqual(
    expect.objectContaining({ type: "reasoning", encrypted_content: sealed }),
  );
});

describe("a server that", () => {
  test("refuses to stream is asked for the whole answer, from then on", async () => {
    await using model = await clientOf((_, body) =>
      body.stream === true
        ? providerError({ status: 400, message: "Unknown field: stream_options" })
        : { text: "Whole." },
    );
    expect((await model.ask()).text).toBe("Whole.");
    expect((await model.ask()).text).toBe("Whole.");
    expect(bodies(model.server).map(({ stream }) => stream)).toEqual([true, undefined, undefined]);
  });

  test("refuses to stream is no failure to several who ask at once, nor one of their tries", async () => {
    await using model = await clientOf(
      (_, body) =>
        body.stream === true
          ? providerError({ status: 400, message: "Unknown field: stream_options" })
          : { text: "Whole." },
      { maxRetries: 0 },
    );
    const answers = await Promise.all([model.ask(), model.ask(), model.ask()]);
    expect(answers.map(({ text }) => text)).toEqual(["Whole.", "Whole.", "Whole."]);
  });

  test("refuses whatever it gets is not asked for ever", async () => {
    const refused = providerError({
      status: 400,
      message: "stream_options, max_tokens, max_completion_tokens",
    });
    await using model = await clientOf(() => refused, { maxTokens: 64, extraBody: { stream: true } });
    await expect(model.ask()).rejects.toMatchObject({ code: "model-failed", retryable: false });
    expect(model.server.asked).toHaveLength(3);
  });

  test("quotes the key at the end of a long reason gives no part of it away", async () => {
    const key = "sk-proj-Zq7kd83Lm2Pv9XwA1";
    for (const status of [401, 503]) {
      const refused = providerError({ status, message: `${"bad ".repeat(47)}${key}` });
      await using model = await clientOf(() => refused, { key, maxRetries: 0 });
      await expect(model.ask()).rejects.toThrow(
        expect.objectContaining({ message: expect.not.stringContaining(key.slice(0, 4)) }),
      );
    }
  });

  test("wants another name for the most tokens gets it, from then on", async () => {
    const refused = providerError({
      status: 400,
      message: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
    });
    await using model = await clientOf((_, body) => ("max_tokens" in body ? refused : { text: "Hi" }), {
      maxTokens: 64,
    });
    await model.ask();
    await model.ask();
    expect(bodies(model.server).map((body) => [body.max_tokens, body.max_completion_tokens])).toEqual([
      [64, undefined],
      [undefined, 64],
      [undefined, 64],
    ]);
  });

  test.each([
    ["answers whole although it was asked to stream", "application/json", wholeAnswer()],
    ["calls JSON a stream", "text/event-stream", wholeAnswer()],
    ["calls a stream JSON", "application/json", streamedAnswer("\n")],
    ["calls a stream text, with blank lines and CRLF", "text/plain", `\r\n\r\n${streamedAnswer("\r\n")}`],
    [
      "begins with a comment and a byte order mark",
      "text/event-stream",
      `\uFEFF: hi\n\n${streamedAnswer("\n")}`,
    ],
  ])("%s is understood", async (_, type, text) => {
    await using model = await clientOf(() => (response) => {
      response.writeHead(200, { "content-type": type }).end(text);
    });
    expect(await model.ask()).toMatchObject({ text: "Hi there", finish: "stop" });
  });

  test("answers nonsense fails the attempt, naming the field", async () => {
    const nonsense = JSON.stringify({ choices: [{ message: { tool_calls: "x" } }] });
    await using model = await clientOf(() => (response) => {
      response.writeHead(200, { "content-type": "application/json" }).end(nonsense);
    });
    await expect(model.ask()).rejects.toMatchObject({
      code: "model-failed",
      retryable: true,
      message: expect.stringContaining("choices.0.message.tool_calls"),
    });
  });

  test("is not there is named with its address", async () => {
    await using model = await clientOf(() => ({}), { baseUrl: "http://127.0.0.1:9/v1", maxRetries: 0 });
    await expect(model.ask()).rejects.toThrow(/^m at http:\/\/127\.0\.0\.1:9\/v1: .*ECONNREFUSED/);
  });
});

function wholeAnswer(): string {
  return JSON.stringify({ choices: [{ message: { content: "Hi there" }, finish_reason: "stop" }] });
}

function streamedAnswer(end: string): string {
  const chunks = [{ content: "Hi" }, { content: " there" }, {}].map((delta, index) =>
    JSON.stringify({ choices: [{ index: 0, delta, finish_reason: index === 2 ? "stop" : null }] }),
  );
  return [...chunks, "[DONE]"].map((data) => `data: ${data}${end}${end}`).join("");
}
