import { describe, expect, test } from "vitest";
import { providerError } from "../../../../test/servers/model-provider/errors.ts";
import type { ModelReply } from "../../../../test/servers/model-provider/reply.ts";
import { type ModelProvider, modelProvider } from "../../../../test/servers/model-provider.ts";
import type { ModelRequest } from "../ports/model-client.ts";
import { assembler } from "./assemble.ts";
import type { Assembler } from "./assembler.ts";
import { ModelProtocol } from "./protocol.ts";
import { readAnswer } from "./read-answer.ts";
import { streamParserOf } from "./stream-parser.ts";
import { requestPath, toBody } from "./to-body.ts";

const request: ModelRequest = {
  messages: [{ role: "user", content: "List the files." }],
  tools: [{ type: "function", function: { name: "bash", parameters: { type: "object" } } }],
  signal: new AbortController().signal,
};
const reply: ModelReply = {
  reasoning: "思考 first.",
  text: "I look. 🙂",
  toolCalls: [{ name: "bash", arguments: { command: "ls" } }],
  usage: { promptTokens: 90, completionTokens: 9, cachedTokens: 50 },
};

async function asked(provider: ModelProvider, protocol: ModelProtocol, stream: boolean): Promise<Response> {
  const options = { model: "claude-opus-4-7", settings: {}, stream };
  return await fetch(provider.baseUrl(protocol) + requestPath(protocol, options), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(toBody(protocol, request, options)),
  });
}

async function assembled(protocol: ModelProtocol, response: Response): Promise<Assembler> {
  const parser = streamParserOf(response.headers.get("content-type") ?? undefined);
  const assembling = assembler(protocol);
  if (parser === undefined || response.body === null) throw new Error("no stream came");
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    for (const { data } of parser.push(chunk)) assembling.push(data);
  }
  for (const { data } of parser.end()) assembling.push(data);
  return assembling;
}

describe.each(ModelProtocol.options)("%s", (protocol) => {
  test("an answer is the same streamed in pieces of three bytes, and not streamed", async () => {
    await using provider = await modelProvider({ script: () => reply, pace: { chunkBytes: 3 } });
    const streamed = await assembled(protocol, await asked(provider, protocol, true));
    const whole: unknown = await (await asked(provider, protocol, false)).json();
    expect(streamed.state).toBe("whole");
    const answers = [streamed.body(), whole].map((body) => readAnswer(protocol, body, "here"));
    for (const answer of answers) {
      expect(answer).toMatchObject({
        text: reply.text,
        reasoning: reply.reasoning,
        toolCalls: [{ name: "bash", arguments: { command: "ls" } }],
        finish: "tool-calls",
        usage: { promptTokens: 90, completionTokens: 9, cachedTokens: 50 },
      });
    }
    expect(provider.asked.map(({ stream, model }) => [stream, model])).toEqual([
      [true, "claude-opus-4-7"],
      [false, "claude-opus-4-7"],
    ]);
  });

  test.each([
    ["end", "open"],
    ["error", "failed"],
  ] as const)("a stream that breaks off (%s) is told from a whole one", async (how, state) => {
    const script = () => ({ ...reply, breakOff: { afterEvents: 4, how } });
    await using provider = await modelProvider({ script });
    expect((await assembled(protocol, await asked(provider, protocol, true))).state).toBe(state);
  });

  test("a connection that dies in mid-stream is an error to its reader", async () => {
    const script = () => ({ ...reply, breakOff: { afterEvents: 4, how: "cut" as const } });
    await using provider = await modelProvider({ script });
    await expect(assembled(protocol, await asked(provider, protocol, true))).rejects.toThrow();
  });

  test("a refusal comes with its status in the provider's form", async () => {
    await using provider = await modelProvider({
      script: () => providerError({ status: 429, message: "slow down", headers: { "retry-after": "1" } }),
    });
    const response = await asked(provider, protocol, true);
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await response.text()).toContain("slow down");
  });
});
