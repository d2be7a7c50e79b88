import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AskedModel, readAsked } from "../../../../test/servers/model-provider/asked.ts";
import { renderChat } from "../../../../test/servers/model-provider/chat.ts";
import { renderConverse } from "../../../../test/servers/model-provider/converse.ts";
import { errorAnswer } from "../../../../test/servers/model-provider/errors.ts";
import { renderMessages } from "../../../../test/servers/model-provider/messages.ts";
import type { ModelReply, Rendered } from "../../../../test/servers/model-provider/reply.ts";
import { renderResponses } from "../../../../test/servers/model-provider/responses.ts";
import { assembler, wholeBody } from "./assemble.ts";
import { ModelProtocol } from "./protocol.ts";
import { readAnswer } from "./read-answer.ts";

const protocols = ModelProtocol.options;
const renderers = {
  "chat-completions": renderChat,
  responses: renderResponses,
  messages: renderMessages,
  converse: renderConverse,
};

function asked(protocol: ModelProtocol): AskedModel {
  const body = {
    model: "m",
    stream: true,
    stream_options: { include_usage: true },
    include: ["reasoning.encrypted_content"],
  };
  const path = protocol === "converse" ? "/model/m/converse-stream" : "/v1";
  return readAsked(protocol, { method: "POST", path, headers: {}, rawBody: JSON.stringify(body) });
}

function render(protocol: ModelProtocol, reply: ModelReply, deltaChars = 5): Rendered {
  return renderers[protocol](reply, { asked: asked(protocol), number: 1, deltaChars });
}

/** The data of each event as a stream's parser gives them. */
function dataOf(protocol: ModelProtocol, { events }: Rendered): unknown[] {
  return events.map(({ event = "", data }) => (protocol === "converse" ? { [event]: data } : data));
}

const reply: ModelReply = {
  reasoning: "I look first. 思考",
  text: "Let me look. 🙂",
  toolCalls: [
    { name: "bash", arguments: { command: "ls -la", deep: { list: [1, 2] } } },
    { name: "read_file", arguments: {} },
  ],
  usage: { promptTokens: 1_000, completionTokens: 50, cachedTokens: 800, cacheWriteTokens: 100 },
};

describe.each(protocols)("%s", (protocol) => {
  test("a stream is assembled to the body of the answer without streaming", () => {
    const rendered = render(protocol, reply);
    const assembled = assembler(protocol);
    for (const data of dataOf(protocol, rendered)) assembled.push(data);
    expect(assembled.body()).toEqual(rendered.body);
    expect(assembled.state).toBe("whole");
  });

  test("so are all replies, however they are cut into deltas", () => {
    const call = fc.record({
      name: fc.constantFrom("bash", "read_file"),
      arguments: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })),
    });
    const replies = fc.record(
      {
        text: fc.string({ unit: "grapheme", minLength: 1 }),
        reasoning: fc.string({ unit: "grapheme", minLength: 1 }),
        toolCalls: fc.array(call, { maxLength: 3 }),
        finish: fc.constantFrom("length" as const, "stop" as const),
      },
      { requiredKeys: ["text"] },
    );
    fc.assert(
      fc.property(replies, fc.integer({ min: 1, max: 20 }), (random, deltaChars) => {
        const rendered = render(protocol, random as ModelReply, deltaChars);
        const plain = JSON.parse(JSON.stringify(rendered)) as Rendered;
        expect(wholeBody(protocol, { _events: dataOf(protocol, plain) })).toEqual(plain.body);
      }),
    );
  });

  test("what is told of the deltas is the whole answer's text and reasoning", () => {
    const assembled = assembler(protocol);
    const told = dataOf(protocol, render(protocol, reply)).map((data) => assembled.push(data));
    expect(told.map(({ text }) => text ?? "").join("")).toBe(reply.text);
    expect(told.map(({ reasoning }) => reasoning ?? "").join("")).toBe(reply.reasoning);
  });

  test("a stream that breaks off is open, and holds what came", () => {
    const data = dataOf(protocol, render(protocol, { text: "one two three four" }));
    for (let kept = 0; kept < data.length - (protocol === "chat-completions" ? 3 : 2); kept += 1) {
      const assembled = assembler(protocol);
      for (const event of data.slice(0, kept)) assembled.push(event);
      expect(assembled.state).toBe("open");
      const body = assembled.body();
      if (body !== undefined && protocol !== "responses") {
        expect("one two three four").toContain(readAnswer(protocol, body, "here").text);
      }
    }
  });

  test("an error in mid-stream is told in the provider's words", () => {
    const data = dataOf(protocol, render(protocol, { text: "one two" }));
    const { event, data: error } = errorAnswer(protocol, {
      status: 500,
      message: "the engine gave up",
    }).event;
    const assembled = assembler(protocol);
    for (const one of data.slice(0, 3)) assembled.push(one);
    assembled.push(
      protocol === "converse" ? { internalServerException: error, [event ?? ""]: error } : error,
    );
    expect(assembled.state).toBe("failed");
    expect(JSON.stringify(assembled.error)).toContain("the engine gave up");
  });

  test("garbage is never a crash, and changes no event", () => {
    const events = dataOf(protocol, render(protocol, reply));
    const garbage = fc.oneof(
      fc.jsonValue(),
      fc.tuple(fc.constantFrom(...events), fc.jsonValue(), fc.string()).map(([event, value, key]) => {
        return mangled(event, key, value);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(garbage, fc.constantFrom(...events))), (random) => {
        const before = JSON.stringify(random);
        const assembled = assembler(protocol);
        for (const data of random) assembled.push(data);
        JSON.stringify(assembled.body());
        expect(JSON.stringify(random)).toBe(before);
      }),
      { numRuns: 500 },
    );
  });
});

/** The event with one of its values, at any depth, replaced. */
function mangled(event: unknown, key: string, value: unknown): unknown {
  const copy = structuredClone(event);
  const objects: Record<string, unknown>[] = [];
  const collect = (one: unknown): void => {
    if (typeof one !== "object" || one === null) return;
    objects.push(one as Record<string, unknown>);
    Object.values(one).forEach(collect);
  };
  collect(copy);
  const target = objects[key.length % Math.max(1, objects.length)];
  const keys = Object.keys(target ?? {});
  const chosen = keys[key.length % Math.max(1, keys.length)];
  if (target !== undefined && chosen !== undefined) target[chosen] = value;
  return copy;
}

test("chat: calls without an index, and calls that share one, stay apart", () => {
  const call = (id: string, index?: number) => ({
    choices: [
      {
        index: 0,
        delta: {
          tool_calls: [
            { ...(index === undefined ? {} : { index }), id, function: { name: "f", arguments: "{}" } },
          ],
        },
      },
    ],
  });
  for (const index of [undefined, 0]) {
    const body = wholeBody("chat-completions", { _events: [call("a", index), call("b", index), "[DONE]"] });
    const { toolCalls } = readAnswer("chat-completions", body, "here");
    expect(toolCalls.map(({ id, name }) => [id, name])).toEqual([
      ["a", "f"],
      ["b", "f"],
    ]);
  }
});

test("chat: log probabilities and token ids of all chunks are kept", () => {
  const chunk = (token: number) => ({
    choices: [
      {
        index: 0,
        delta: { content: "x" },
        logprobs: { content: [{ token: "x", logprob: -token }] },
        token_ids: [token],
      },
    ],
  });
  const events = [{ prompt_token_ids: [7, 8], choices: [] }, chunk(1), chunk(2), "[DONE]"];
  const { tokens } = readAnswer(
    "chat-completions",
    wholeBody("chat-completions", { _events: events }),
    "here",
  );
  expect(tokens).toEqual({ prompt: [7, 8], completion: [1, 2], logprobs: [-1, -2] });
});

test("chat: what a later chunk says as null takes nothing back", () => {
  const events = [
    {
      id: "c",
      choices: [{ index: 0, delta: { content: "x" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 5 },
    },
    { id: null, choices: [{ index: 0, delta: { content: null }, finish_reason: null }], usage: null },
    "[DONE]",
  ];
  expect(wholeBody("chat-completions", { _events: events })).toMatchObject({
    id: "c",
    choices: [{ message: { content: "x" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 5 },
  });
});

test("responses: a last event without output leaves what was streamed", () => {
  const item = { type: "function_call", id: "fc", call_id: "c", name: "f", arguments: "{}" };
  const events = [
    { type: "response.created", response: { id: "r" } },
    { type: "response.output_item.done", item },
    { type: "response.completed", response: { id: "r", usage: { input_tokens: 3, output_tokens: 1 } } },
  ];
  const body = wholeBody("responses", { _events: events });
  expect(body).toMatchObject({ id: "r", output: [item], usage: { input_tokens: 3 } });
});

test("responses: a stream that broke off is put together of its deltas", () => {
  const rendered = render("responses", { reasoning: "because of this", text: "one two three" }, 4);
  const events = dataOf("responses", rendered).slice(0, -3);
  const { text, reasoning } = readAnswer("responses", wholeBody("responses", { _events: events }), "here");
  expect([text, reasoning]).toEqual(["one two three", "because of this"]);
});

test("messages: counts of the end go over those of the beginning, and null over nothing", () => {
  const events = [
    {
      type: "message_start",
      message: { content: [], usage: { input_tokens: 5, cache_read_input_tokens: 2, output_tokens: 1 } },
    },
    {
      type: "message_delta",
      delta: { stop_reason: "end_turn" },
      usage: { output_tokens: 9, input_tokens: null },
    },
    { type: "message_stop" },
  ];
  expect(wholeBody("messages", { _events: events })).toMatchObject({
    stop_reason: "end_turn",
    usage: { input_tokens: 5, cache_read_input_tokens: 2, output_tokens: 9 },
  });
});
