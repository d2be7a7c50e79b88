import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAsked } from "../../../../test/servers/model-provider/asked.ts";
import { renderChat } from "../../../../test/servers/model-provider/chat.ts";
import { renderConverse } from "../../../../test/servers/model-provider/converse.ts";
import { renderMessages } from "../../../../test/servers/model-provider/messages.ts";
import type { ModelReply } from "../../../../test/servers/model-provider/reply.ts";
import { renderResponses } from "../../../../test/servers/model-provider/responses.ts";
import { contextSegments } from "../atif/context-segments.ts";
import { parseTrajectory, type Trajectory } from "../atif/trajectory.ts";
import { isTracemillError } from "../errors.ts";
import type { ChatMessage, Exchange } from "../ports/model-client.ts";
import type { Fields } from "../protocols/fields.ts";
import { ModelProtocol } from "../protocols/protocol.ts";
import { readAnswer } from "../protocols/read-answer.ts";
import { toBody } from "../protocols/to-body.ts";
import type { HttpExchange } from "./http-exchange.ts";
import { sessionToTrajectory } from "./to-atif.ts";
import { turnsOf } from "./turns.ts";

const agent = { name: "agent", version: "1" };
const tools = [
  { type: "function", function: { name: "bash", description: "Runs.", parameters: { type: "object" } } },
];
const renderers = {
  "chat-completions": renderChat,
  responses: renderResponses,
  messages: renderMessages,
  converse: renderConverse,
};

/** A client of a protocol: asks with its whole conversation, and keeps what it was answered, as a proxy saw it. */
class Client {
  readonly exchanges: HttpExchange[] = [];
  messages: ChatMessage[] = [];
  readonly #protocol: ModelProtocol;
  readonly #tools: typeof tools;
  #calls = 0;

  constructor(protocol: ModelProtocol, messages: ChatMessage[], options: { tools?: typeof tools } = {}) {
    this.#protocol = protocol;
    this.#tools = options.tools ?? tools;
    this.messages = messages;
  }

  /** One exchange; its answer and what its calls gave go into the conversation. */
  ask(reply: ModelReply, change: (exchange: HttpExchange) => HttpExchange = (exchange) => exchange): void {
    const number = Client.number++;
    const model = "claude-opus-4-7";
    const body = toBody(
      this.#protocol,
      { messages: this.messages, tools: this.#tools, signal: new AbortController().signal },
      { model, settings: {}, stream: true },
    );
    const path = `/model/${model}/converse-stream`;
    const asked = readAsked(this.#protocol, {
      method: "POST",
      path,
      headers: {},
      rawBody: JSON.stringify(body),
    });
    const rendered = renderers[this.#protocol](reply, { asked, number, deltaChars: 7 });
    const events = rendered.events.map(({ event = "", data }) =>
      this.#protocol === "converse" ? { [event]: data } : data,
    );
    const exchange = change(this.#exchange(body, { _events: events }, number));
    this.exchanges.push(exchange);
    if (exchange.error === undefined && exchange.response?.status === 200) this.#hear(rendered.body, reply);
  }

  static number = 1;

  say(content: string): void {
    this.messages = [...this.messages, { role: "user", content }];
  }

  #exchange(request: Fields, response: Fields, number: number): HttpExchange {
    const at = (seconds: number): string => new Date(1_700_000_000_000 + seconds * 1_000).toISOString();
    return {
      kind: "http",
      id: `x${number}`,
      sessionId: "s",
      startedAt: at(number * 2),
      endedAt: at(number * 2 + 1),
      method: "POST",
      url: "https://here/model/claude-opus-4-7/converse-stream",
      protocol: this.#protocol,
      request: { headers: {}, body: JSON.parse(JSON.stringify(request)) as unknown },
      response: { status: 200, headers: {}, body: JSON.parse(JSON.stringify(response)) as unknown },
    };
  }

  #hear(body: Fields, reply: ModelReply): void {
    const answer = readAnswer(this.#protocol, body, "here");
    this.messages = [
      ...this.messages,
      {
        role: "assistant",
        content: answer.text,
        ...(answer.toolCalls.length > 0 && {
          tool_calls: answer.toolCalls.map(({ id, name, arguments: args }) => ({
            id,
            type: "function" as const,
            function: { name, arguments: JSON.stringify(args) },
          })),
        }),
        ...(answer.carry !== undefined && { carry: answer.carry }),
      },
      ...answer.toolCalls.map(({ id }) => ({
        role: "tool" as const,
        tool_call_id: id,
        content: `output ${++this.#calls}`,
      })),
    ];
    if ((reply.toolCalls ?? []).length === 0) return;
  }
}

const begin: ChatMessage[] = [
  { role: "system", content: "You work in a shell." },
  { role: "user", content: "Make the tests pass." },
];

function call(command: string): ModelReply {
  return {
    reasoning: `I want ${command}.`,
    text: `Now ${command}.`,
    toolCalls: [{ name: "bash", arguments: { command } }],
  };
}

function converted(exchanges: readonly (HttpExchange | Exchange)[]): Trajectory {
  return parseTrajectory(sessionToTrajectory(exchanges, agent), "the session");
}

function outline({ steps }: Trajectory): string[] {
  return steps.map(
    ({ source, message, is_copied_context: copied }) => `${source}${copied ? "*" : ""}: ${String(message)}`,
  );
}

describe.each(ModelProtocol.options)("%s", (protocol) => {
  test("a session is its conversation, each turn once, with its calls' results and what it used", () => {
    const client = new Client(protocol, begin);
    const usage = { promptTokens: 1_000, completionTokens: 20, cachedTokens: 900 };
    client.ask({ ...call("ls"), usage });
    client.ask({
      toolCalls: [
        { name: "bash", arguments: { command: "a" } },
        { name: "bash", arguments: { command: "b" } },
      ],
    });
    client.ask({ text: "Done." });
    client.say("And now?");
    client.ask({ text: "Nothing." });
    const trajectory = converted(client.exchanges);
    expect(outline(trajectory)).toEqual([
      "system: You work in a shell.",
      "user: Make the tests pass.",
      "agent: Now ls.",
      "agent: ",
      "agent: Done.",
      "user: And now?",
      "agent: Nothing.",
    ]);
    const [, , first, second] = trajectory.steps;
    expect(first).toMatchObject({
      model_name: "claude-opus-4-7",
      reasoning_content: "I want ls.",
      tool_calls: [{ function_name: "bash", arguments: { command: "ls" } }],
      observation: { results: [{ content: "output 1" }] },
      metrics: { prompt_tokens: 1_000, completion_tokens: 20, cached_tokens: 900 },
    });
    expect(second?.observation?.results.map(({ content }) => content)).toEqual(["output 2", "output 3"]);
    expect(trajectory.agent.tool_definitions).toMatchObject([
      { type: "function", function: { name: "bash" } },
    ]);
    expect(trajectory.subagent_trajectories).toBeUndefined();
    expect(trajectory.final_metrics).toMatchObject({
      total_prompt_tokens: 1_300,
      total_completion_tokens: 50,
    });
  });

  test("turns in are agent's steps out, in their order, whatever was said and called", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1 }).filter((value) => value.trim() !== "");
    const reply = fc.record(
      {
        text,
        reasoning: text,
        toolCalls: fc.array(fc.constant({ name: "bash", arguments: { command: "x" } }), { maxLength: 3 }),
      },
      { requiredKeys: ["text"] },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(reply, fc.boolean()), { minLength: 1, maxLength: 8 }), (turns) => {
        const client = new Client(protocol, begin);
        for (const [index, [said, isAsking]] of turns.entries()) {
          client.ask(said as ModelReply);
          if (isAsking || (said.toolCalls ?? []).length === 0) client.say(`Go on ${index}.`);
        }
        const trajectory = converted(client.exchanges);
        expect(turnsOf(trajectory).map((turn) => turn.text)).toEqual(turns.map(([said]) => said.text));
        expect(trajectory.subagent_trajectories).toBeUndefined();
        const answered = trajectory.steps.flatMap(({ observation }) => observation?.results ?? []);
        const called = turns.slice(0, -1).flatMap(([said]) => said.toolCalls ?? []);
        expect(answered).toHaveLength(called.length);
      }),
      { numRuns: 50 },
    );
  });

  test("requests that failed, broke off or were capped are no steps, and are told", () => {
    const client = new Client(protocol, begin);
    const error = (status: number) => (exchange: HttpExchange) => ({
      ...exchange,
      response: { status, headers: {}, body: { error: { message: "busy" } } },
    });
    client.ask(call("ls"), error(429));
    client.ask(call("ls"), (exchange) => ({ ...exchange, error: "the client left" }));
    client.ask(call("ls"));
    client.ask({ text: "Done." });
    const { steps, extra } = converted(client.exchanges);
    expect(steps.filter(({ source }) => source === "agent")).toHaveLength(2);
    expect(extra).toMatchObject({
      failed_requests: {
        count: 2,
        first: [{ status: 429, failure: "HTTP 429" }, { failure: "the client left" }],
      },
    });
  });

  test("other conversations of the session are told apart, and found by the call that began them", () => {
    const main = new Client(protocol, begin);
    const title = new Client(protocol, [{ role: "user", content: "Make the tests pass." }], { tools: [] });
    const helper = new Client(protocol, [
      { role: "system", content: "You search." },
      { role: "user", content: "Find the failing test." },
    ]);
    title.ask({ text: "Tests" });
    main.ask({ toolCalls: [{ name: "bash", arguments: { prompt: "Find the failing test." } }] });
    helper.ask(call("grep"));
    helper.ask({ text: "It is a.test.ts." });
    main.ask({ text: "Done." });
    const order = [
      title.exchanges,
      main.exchanges.slice(0, 1),
      helper.exchanges,
      main.exchanges.slice(1),
    ].flat();
    const trajectory = converted(order);
    expect(turnsOf(trajectory).map(({ text }) => text)).toEqual(["", "Done."]);
    const others = trajectory.subagent_trajectories ?? [];
    expect(others.map((other) => turnsOf(other).map(({ text }) => text))).toEqual([
      ["Tests"],
      ["Now grep.", "It is a.test.ts."],
    ]);
    const results = trajectory.steps.flatMap(({ observation }) => observation?.results ?? []);
    expect(results[0]?.subagent_trajectory_ref).toEqual([{ trajectory_id: others[1]?.trajectory_id }]);
  });

  test("a history that a summary replaced begins another context, which holds the summary", () => {
    const summary =
      "The tests of the parser fail since the lexer drops the last token; the lexer is to be mended.";
    const client = new Client(protocol, begin);
    client.ask(call("ls"));
    client.say("Sum up.");
    client.ask({ text: summary });
    client.messages = [...begin.slice(0, 1), { role: "user", content: `What was done before: ${summary}` }];
    client.ask(call("mend"));
    client.ask({ text: "Done." });
    const trajectory = converted(client.exchanges);
    const contexts = contextSegments(trajectory).map((segment) => outline(segment));
    expect(contexts).toEqual([
      [
        "system: You work in a shell.",
        "user: Make the tests pass.",
        "agent: Now ls.",
        "user: Sum up.",
        `agent: ${summary}`,
      ],
      [
        "system: You work in a shell.",
        `user: What was done before: ${summary}`,
        "agent: Now mend.",
        "agent: Done.",
      ],
    ]);
    expect(trajectory.subagent_trajectories).toBeUndefined();
  });

  test("a history that lost its beginning is another context, whose old turns are copies", () => {
    const client = new Client(protocol, begin);
    for (const command of ["a", "b", "c"]) client.ask(call(command));
    const [system, user, , , ...rest] = client.messages as [ChatMessage, ChatMessage, ...ChatMessage[]];
    client.messages = [system, user, ...rest];
    client.ask({ text: "Done." });
    const trajectory = converted(client.exchanges);
    const [, last] = contextSegments(trajectory);
    expect(last && outline(last)).toEqual([
      "system: You work in a shell.",
      "user: Make the tests pass.",
      "agent*: Now b.",
      "agent*: Now c.",
      "agent: Done.",
    ]);
    expect(turnsOf(trajectory).map(({ text }) => text)).toEqual(["Now a.", "Now b.", "Now c.", "Done."]);
  });

  test("the same question asked again in place of its answer is another context of the same conversation", () => {
    const client = new Client(protocol, begin);
    client.ask({ text: "One." });
    client.messages = begin;
    client.ask({ text: "Two." });
    const trajectory = converted(client.exchanges);
    expect(contextSegments(trajectory).map((segment) => outline(segment).at(-1))).toEqual([
      "agent: One.",
      "agent: Two.",
    ]);
  });

  test("a part of the history in other words is noted, and writes nothing twice", () => {
    const client = new Client(protocol, begin);
    client.ask(call("ls"));
    client.messages = client.messages.map((message) =>
      message.role === "user" ? { ...message, content: "Make them pass." } : message,
    );
    client.ask({ text: "Done." });
    const { steps } = converted(client.exchanges);
    expect(steps.map(({ source }) => source)).toEqual(["system", "user", "agent", "agent"]);
    expect(steps.at(-1)?.extra).toMatchObject({ history_edited: true });
  });

  test("broken exchanges are no crash", () => {
    const client = new Client(protocol, begin);
    client.ask(call("ls"));
    client.ask({ text: "Done." });
    const body = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(...client.exchanges.flatMap(({ request, response }) => [request.body, response?.body])),
      fc.record({
        messages: fc.jsonValue(),
        input: fc.jsonValue(),
        tools: fc.jsonValue(),
        system: fc.jsonValue(),
      }),
      fc.record({ _events: fc.array(fc.jsonValue()) }),
      fc.record({ content: fc.jsonValue(), output: fc.jsonValue(), choices: fc.jsonValue() }),
      fc.record({
        messages: fc.array(
          fc.record({ role: fc.constantFrom("user", "assistant", "tool"), content: fc.jsonValue() }),
        ),
      }),
      fc.record({
        input: fc.array(
          fc.record({
            type: fc.constantFrom("message", "function_call", "reasoning", "x_call_output"),
            content: fc.jsonValue(),
            call_id: fc.jsonValue(),
          }),
        ),
      }),
    );
    const broken = fc
      .tuple(fc.constantFrom(...client.exchanges), body, body)
      .map(([exchange, request, response]) => ({
        ...exchange,
        request: { headers: {}, body: request },
        response: { status: 200, headers: {}, body: response },
      }));
    fc.assert(
      fc.property(fc.array(fc.oneof(broken, fc.constantFrom(...client.exchanges))), (exchanges) => {
        try {
          converted(exchanges);
        } catch (error) {
          expect(isTracemillError(error, "invalid-input") && exchanges.length === 0).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

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
  const client = new Client("responses", begin);
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

test("conversations at the same time are never mixed", () => {
  const clients = Array.from({ length: 40 }, (_, index) => {
    return new Client("messages", [{ role: "user", content: `Task ${index}` }]);
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
  expect(() => sessionToTrajectory([], agent)).toThrow("no model was asked");
});
