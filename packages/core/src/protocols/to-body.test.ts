import { describe, expect, test } from "vitest";
import { readAsked } from "../../../../test/servers/model-provider/asked.ts";
import { renderChat } from "../../../../test/servers/model-provider/chat.ts";
import { renderConverse } from "../../../../test/servers/model-provider/converse.ts";
import { renderMessages } from "../../../../test/servers/model-provider/messages.ts";
import { renderResponses } from "../../../../test/servers/model-provider/responses.ts";
import type { ChatMessage, ModelRequest } from "../ports/model-client.ts";
import type { Fields } from "./fields.ts";
import { ModelProtocol } from "./protocol.ts";
import { readAnswer } from "./read-answer.ts";
import type { BodyOptions } from "./request-body.ts";
import { requestPath, toBody } from "./to-body.ts";

const tool = {
  type: "function",
  function: {
    name: "bash",
    description: "Runs a command.",
    parameters: { type: "object", properties: { command: { type: "string" } } },
  },
};
const call = {
  id: "call_1",
  type: "function" as const,
  function: { name: "bash", arguments: '{"command":"ls"}' },
};
const conversation: ChatMessage[] = [
  { role: "system", content: "You work in a shell." },
  { role: "user", content: "List the files." },
  { role: "assistant", content: "I look.", tool_calls: [call] },
  { role: "tool", tool_call_id: "call_1", content: "a.txt" },
  { role: "assistant", content: "There is a.txt." },
  { role: "user", content: "Thanks." },
];

function request(
  messages: readonly ChatMessage[] = conversation,
  more: Partial<ModelRequest> = {},
): ModelRequest {
  return { messages, tools: [tool], signal: new AbortController().signal, ...more };
}

const models: Record<ModelProtocol, string> = {
  "chat-completions": "qwen3",
  responses: "gpt-5.2",
  messages: "claude-sonnet-4-6",
  converse: "us.anthropic.claude-sonnet-4-6",
};

function bodyOf(protocol: ModelProtocol, asked: ModelRequest, options: Partial<BodyOptions> = {}): Fields {
  return toBody(protocol, asked, { model: models[protocol], settings: {}, stream: false, ...options });
}

/** The request as a provider reads it. */
function understood(protocol: ModelProtocol, asked: ModelRequest) {
  const path = requestPath(protocol, { model: models[protocol], stream: false });
  const rawBody = JSON.stringify(bodyOf(protocol, asked));
  return readAsked(protocol, { method: "POST", path, headers: {}, rawBody });
}

describe.each(ModelProtocol.options)("%s", (protocol) => {
  test("the provider reads the same conversation and tools", () => {
    const { messages, tools, model, stream } = understood(protocol, request());
    const split = protocol === "responses" ? [{ role: "assistant", text: "I look." }] : [];
    const toolCalls = [{ id: "call_1", name: "bash", arguments: { command: "ls" } }];
    expect(messages).toEqual([
      { role: "system", text: "You work in a shell." },
      { role: "user", text: "List the files." },
      ...split,
      { role: "assistant", text: split.length === 0 ? "I look." : "", toolCalls },
      { role: "tool", text: "a.txt", callId: "call_1" },
      { role: "assistant", text: "There is a.txt." },
      { role: "user", text: "Thanks." },
    ]);
    expect(tools).toEqual([
      { name: "bash", description: "Runs a command.", schema: tool.function.parameters },
    ]);
    expect({ model, stream }).toEqual({ model: models[protocol], stream: false });
  });

  test("what an answer carries goes back to the same protocol word for word, and to no other", () => {
    const answer = readAnswer(protocol, rendered(protocol), "here");
    const turn: ChatMessage = {
      role: "assistant",
      content: answer.text,
      tool_calls: answer.toolCalls.map(({ id, name, arguments: args }) => ({
        id,
        type: "function",
        function: { name, arguments: JSON.stringify(args) },
      })),
      carry: answer.carry,
    };
    const sealed = /signed-1|c2VhbGVkLTE=|reasoning_content/;
    for (const other of ModelProtocol.options) {
      const text = JSON.stringify(bodyOf(other, request([...conversation.slice(0, 2), turn])));
      expect(sealed.test(text), other).toBe(other === protocol);
      expect(text).toContain("I look.");
      expect(text).not.toContain('"carry"');
    }
  });

  test("a turn that the agent has changed keeps its reasoning and says what the agent made of it", () => {
    const { carry } = readAnswer(protocol, rendered(protocol), "here");
    const turn: ChatMessage = { role: "assistant", content: "Changed.", carry };
    const text = JSON.stringify(bodyOf(protocol, request([...conversation.slice(0, 2), turn])));
    expect(text).toContain("Changed.");
    expect(text).not.toContain("I look.");
    expect(text).toMatch(/I should look|c2VhbGVkLTE=/);
  });

  test("so does one whose words alone were changed, beside the same calls", () => {
    const { carry, toolCalls } = readAnswer(protocol, rendered(protocol), "here");
    const calls = toolCalls.map(({ id }) => ({ ...call, id }));
    const turn: ChatMessage = { role: "assistant", content: "Changed.", tool_calls: calls, carry };
    const text = JSON.stringify(bodyOf(protocol, request([...conversation.slice(0, 2), turn])));
    expect(text).toContain("Changed.");
    expect(text).not.toContain("I look.");
  });

  test("further fields of the body go over the settings, and never over the conversation", () => {
    const settings = { temperature: 0.5, extraBody: { seed: 7, model: "other", messages: [], input: [] } };
    const body = bodyOf(protocol, request(), { settings });
    expect(body).toMatchObject({ seed: 7 });
    expect(JSON.stringify(body)).toContain("List the files.");
    expect(JSON.stringify(body)).toContain('"temperature":0.5');
    expect(body.model === "other" && protocol !== "converse").toBe(false);
  });

  test("an answer's schema is asked for", () => {
    const schema = { type: "object", properties: { verdict: { type: "string" } } };
    const text = JSON.stringify(
      bodyOf(protocol, request(conversation, { responseSchema: { name: "v", schema } })),
    );
    expect(text).toContain("json_schema");
    expect(text).toContain("verdict");
  });
});

function rendered(protocol: ModelProtocol): unknown {
  const include = ["reasoning.encrypted_content"];
  const rawBody = JSON.stringify({ model: "m", include });
  const asked = readAsked(protocol, { method: "POST", path: "/model/m/converse", headers: {}, rawBody });
  const reply = {
    reasoning: "I should look.",
    text: "I look.",
    toolCalls: [{ name: "bash", arguments: { command: "ls" } }],
  };
  const renderers = {
    "chat-completions": renderChat,
    responses: renderResponses,
    messages: renderMessages,
    converse: renderConverse,
  };
  return renderers[protocol](reply, { asked, number: 1, deltaChars: 8 }).body;
}

test("chat: streams say what they used; OpenAI's reasoners take the limit under its new name", () => {
  const stream = bodyOf("chat-completions", request(), { stream: true, settings: { maxTokens: 9 } });
  expect(stream).toMatchObject({ stream: true, stream_options: { include_usage: true }, max_tokens: 9 });
  const options = { model: "gpt-5.2", settings: { maxTokens: 9, reasoningEffort: "low" } };
  const reasoner = bodyOf("chat-completions", request(), options);
  expect(reasoner).toMatchObject({ max_completion_tokens: 9, reasoning_effort: "low" });
  expect(reasoner).not.toHaveProperty("max_tokens");
});

test("a budget of tokens is refused where effort is a word", () => {
  const settings = { reasoningEffort: 1_000 };
  expect(() => bodyOf("responses", request(), { settings })).toThrow(
    "`reasoningEffort`: gpt-5.2 takes a word",
  );
});

test("responses: nothing is stored, and only models that reason are asked for sealed reasoning", () => {
  expect(bodyOf("responses", request())).toMatchObject({
    store: false,
    include: ["reasoning.encrypted_content"],
  });
  expect(bodyOf("responses", request(), { model: "gpt-4.1" })).not.toHaveProperty("include");
  expect(bodyOf("responses", request(), { model: "gpt-5-chat-latest" })).not.toHaveProperty("include");
});

test("responses: reasoning that only the provider's store has is not sent", () => {
  const output = [
    { type: "reasoning", id: "rs_1", summary: [] },
    { type: "message", content: [{ text: "Hi." }] },
  ];
  const { text, carry } = readAnswer("responses", { output }, "here");
  const body = bodyOf("responses", request([{ role: "assistant", content: text, carry }]));
  expect(body.input).toEqual([output[1]]);
});

test("responses: an effort and further fields of `reasoning` go together", () => {
  const settings = { reasoningEffort: "high", extraBody: { reasoning: { summary: "auto" } } };
  const body = bodyOf("responses", request(), { settings });
  expect(body.reasoning).toEqual({ effort: "high", summary: "auto" });
});

test("messages: the instructions and the user's last two turns are marked for the cache", () => {
  const body = bodyOf("messages", request()) as { system: Fields[]; messages: { content: Fields[] }[] };
  const marked = body.messages.map(({ content }) => content.at(-1)?.cache_control !== undefined);
  expect(body.system[0]).toHaveProperty("cache_control");
  expect(marked).toEqual([false, false, true, false, true]);
});

test("messages: results come before what the user adds, in one turn, and empty text is left out", () => {
  const turns: ChatMessage[] = [
    { role: "user", content: "Go." },
    { role: "assistant", content: " ", tool_calls: [{ ...call, id: "a b.1" }] },
    { role: "user", content: "And hurry." },
    { role: "tool", tool_call_id: "a b.1", content: "" },
  ];
  const body = bodyOf("messages", request(turns)) as { messages: { role: string; content: Fields[] }[] };
  expect(body.messages.slice(1)).toMatchObject([
    { role: "assistant", content: [{ type: "tool_use", id: "a_b_1" }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "a_b_1" }, { text: "And hurry." }] },
  ]);
});

test.each([
  [
    "claude-opus-4-7",
    "high",
    {
      thinking: { type: "adaptive", display: "summarized" },
      output_config: { effort: "high" },
      max_tokens: 32_000,
    },
  ],
  [
    "claude-sonnet-4-5-20250929",
    "low",
    { thinking: { type: "enabled", budget_tokens: 2_048 }, max_tokens: 32_000 },
  ],
  [
    "claude-sonnet-4-20250514",
    40_000,
    { thinking: { type: "enabled", budget_tokens: 40_000 }, max_tokens: 72_000 },
  ],
  ["claude-3-5-haiku-latest", undefined, { max_tokens: 8_192 }],
])("messages: %s thinks as it can be told to (%s)", (model, reasoningEffort, expected) => {
  const settings = reasoningEffort === undefined ? {} : { reasoningEffort };
  expect(bodyOf("messages", request(), { model, settings })).toMatchObject(expected);
});

test("converse: cache marks only for models that take them", () => {
  expect(JSON.stringify(bodyOf("converse", request()))).toContain("cachePoint");
  expect(JSON.stringify(bodyOf("converse", request(), { model: "meta.llama4" }))).not.toContain("cachePoint");
});
