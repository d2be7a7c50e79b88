import { expect, test } from "vitest";
import {
  begin,
  CapturedClient,
  call,
  converted,
  outline,
  tools,
} from "../../../../test/fakes/captured-client.ts";
import { contextSegments } from "../atif/context-segments.ts";
import type { ChatMessage } from "../ports/model-client.ts";
import type { Fields } from "../protocols/fields.ts";
import type { HttpExchange } from "./http-exchange.ts";
import { sessionToTrajectory } from "./to-atif.ts";
import { turnsOf } from "./turns.ts";

test("what our own agents recorded is read in the same way, token ids and log probabilities too", () => {
  const request = { messages: begin, tools };
  const at = { startedAt: "2026-01-01T00:00:00.000Z", endedAt: "2026-01-01T00:00:01.000Z" };
  const toolCalls = [
    { id: "c", name: "bash", arguments: { _raw: "ls" }, extra: { arguments_not_object: true } },
  ];
  const tokens = { prompt: [1, 2], completion: [3], logprobs: [-0.5] };
  const answer = { text: "", reasoning: "Hm.", toolCalls, finish: "tool-calls" as const, tokens };
  const { steps } = converted([{ ...at, model: "vllm/m", replayed: false, request, answer }]);
  expect(steps.at(-1)).toMatchObject({
    model_name: "vllm/m",
    timestamp: at.endedAt,
    reasoning_content: "Hm.",
    tool_calls: [{ arguments: { _raw: "ls" }, extra: { arguments_not_object: true } }],
    metrics: { prompt_token_ids: [1, 2], completion_token_ids: [3], logprobs: [-0.5] },
  });
});

test("responses: a request that names the answer before it brings only what is new", () => {
  const client = new CapturedClient("responses", begin);
  client.ask(call("ls"));
  client.ask({ text: "Done." });
  const [first, second] = client.exchanges as [HttpExchange, HttpExchange];
  const { _events: events } = (first.response as { body: { _events: { response?: { id: string } }[] } }).body;
  const { input, ...rest } = second.request.body as { input: unknown[] };
  const body = { ...rest, previous_response_id: events.at(-1)?.response?.id, input: input.slice(-1) };
  const trajectory = converted([first, { ...second, request: { headers: {}, body } }]);
  expect(outline(trajectory)).toEqual([
    "system: You work in a shell.",
    "user: Make the tests pass.",
    "agent: Now ls.",
    "agent: Done.",
  ]);
  expect(trajectory.steps[2]?.observation?.results).toHaveLength(1);
});

test("samples of one question that are taken at the same time are conversations of their own", () => {
  const clients = [1, 2].map(() => new CapturedClient("messages", begin, { tools: [] }));
  const atOnce = (exchange: HttpExchange): HttpExchange => ({
    ...exchange,
    startedAt: "2026-01-01T00:00:00.000Z",
    endedAt: "2026-01-01T00:00:09.000Z",
  });
  for (const [index, client] of clients.entries()) client.ask({ text: `Answer ${index}.` }, atOnce);
  for (const [index, client] of clients.entries()) {
    client.say("Why?");
    client.ask({ text: `Reason ${index}.` });
  }
  const [one, two] = clients.map(({ exchanges }) => exchanges) as [HttpExchange[], HttpExchange[]];
  const order = [one[0], two[0], one[1], two[1]] as HttpExchange[];
  const main = converted(order);
  const all = [main, ...(main.subagent_trajectories ?? [])];
  expect(all.map((each) => turnsOf(each).map(({ text }) => text))).toEqual([
    ["Answer 0.", "Reason 0."],
    ["Answer 1.", "Reason 1."],
  ]);
});

test("a client that drops its oldest turn with each request writes every turn, and a bounded number of copies", () => {
  const client = new CapturedClient("messages", begin);
  const window = 20;
  for (let turn = 0; turn < 120; turn += 1) {
    client.ask(call(`${turn}`));
    const [system, user, ...rest] = client.messages as [ChatMessage, ChatMessage, ...ChatMessage[]];
    client.messages = [system, user, ...rest.slice(-window)];
  }
  const trajectory = converted(client.exchanges);
  expect(turnsOf(trajectory)).toHaveLength(120);
  expect(trajectory.steps.length).toBeLessThan(50 * (window / 2 + 4) + 2 * 120);
});

test("instructions that change on the way are a step; the line that names the client's build is none", () => {
  const client = new CapturedClient("messages", begin);
  client.ask(call("a"));
  client.ask(call("b"));
  client.ask({ text: "Done." });
  const system = (text: string, at: number) => {
    const exchange = client.exchanges[at] as HttpExchange;
    const body = { ...(exchange.request.body as Fields), system: [{ type: "text", text }] };
    return { ...exchange, request: { headers: {}, body } };
  };
  const exchanges = [
    system("x-anthropic-billing-header: cc_version=1;\nBe brief.", 0),
    system("x-anthropic-billing-header: cc_version=2;\nBe brief.", 1),
    system("x-anthropic-billing-header: cc_version=2;\nBe long.", 2),
  ];
  expect(outline(converted(exchanges))).toEqual([
    "system: Be brief.",
    "user: Make the tests pass.",
    "agent: Now a.",
    "agent: Now b.",
    "system: Be long.",
    "agent: Done.",
  ]);
});

test("messages: the parts of a message are one step, and a cache mark that moves changes nothing", () => {
  const client = new CapturedClient("messages", begin);
  client.ask(call("ls"));
  client.ask({ text: "Done." });
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } };
  const withParts = (at: number, mark: object) => {
    const exchange = client.exchanges[at] as HttpExchange;
    const { messages, ...rest } = exchange.request.body as { messages: Fields[] };
    const content = [
      { type: "text", text: "Look:" },
      { type: "text", text: "Here." },
      { ...image, ...mark },
    ];
    const body = { ...rest, messages: [{ role: "user", content }, ...messages.slice(1)] };
    return { ...exchange, request: { headers: {}, body } };
  };
  const { steps } = converted([withParts(0, { cache_control: { type: "ephemeral" } }), withParts(1, {})]);
  expect(steps.map(({ source }) => source)).toEqual(["system", "user", "agent", "agent"]);
  expect(steps[1]?.message).toHaveLength(3);
  expect(steps.at(-1)?.extra).not.toHaveProperty("history_edited");
});

test("responses: a history that the provider made smaller begins another context", () => {
  const client = new CapturedClient("responses", begin);
  client.ask(call("ls"));
  client.ask({ text: "Done." });
  const [first, second] = client.exchanges as [HttpExchange, HttpExchange];
  const { input, ...rest } = second.request.body as { input: Fields[] };
  const sealed = { type: "compaction", encrypted_content: "AAAA" };
  const body = { ...rest, input: [...input.slice(0, 1), { role: "user", content: "Go on." }, sealed] };
  const trajectory = converted([first, { ...second, request: { headers: {}, body } }]);
  expect(contextSegments(trajectory).map((segment) => turnsOf(segment).map(({ text }) => text))).toEqual([
    ["Now ls."],
    ["Done."],
  ]);
  expect(JSON.stringify(trajectory)).toContain("AAAA");
});

test("of many failed requests the first are told, and all are counted", () => {
  const client = new CapturedClient("messages", begin);
  const failing = (exchange: HttpExchange): HttpExchange => ({ ...exchange, error: "gone" });
  for (let count = 0; count < 150; count += 1) client.ask({ text: "x" }, failing);
  const { steps, extra } = converted(client.exchanges);
  expect(extra).toMatchObject({ failed_requests: { count: 150, first: { length: 100 } } });
  expect(steps.map(({ source }) => source)).toEqual(["system", "user"]);
});

test("conversations at the same time are never mixed", () => {
  const clients = Array.from({ length: 40 }, (_, index) => {
    return new CapturedClient("messages", [{ role: "user", content: `Task ${index}` }]);
  });
  for (let turn = 0; turn < 5; turn += 1) {
    for (const [index, client] of clients.entries()) client.ask(call(`${index}-${turn}`));
  }
  const order = Array.from({ length: 5 }, (_, turn) =>
    clients.map(({ exchanges }) => exchanges[turn] as HttpExchange),
  );
  const main = converted(order.flat());
  const all = [main, ...(main.subagent_trajectories ?? [])];
  expect(all.map((one) => turnsOf(one).map(({ text }) => text))).toEqual(
    clients.map((_, index) => [0, 1, 2, 3, 4].map((turn) => `Now ${index}-${turn}.`)),
  );
});

test("a session without a request to a model is refused", () => {
  expect(() => sessionToTrajectory([], { name: "agent", version: "1" })).toThrow("no model was asked");
});
