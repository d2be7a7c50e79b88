import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { begin, CapturedClient, call, converted, outline } from "../../../../test/fakes/captured-client.ts";
import type { ModelReply } from "../../../../test/servers/model-provider/reply.ts";
import { contextSegments } from "../atif/context-segments.ts";
import { isTracemillError } from "../errors.ts";
import type { ChatMessage } from "../ports/model-client.ts";
import { ModelProtocol } from "../protocols/protocol.ts";
import type { HttpExchange } from "./http-exchange.ts";
import { turnsOf } from "./turns.ts";

describe.each(ModelProtocol.options)("%s", (protocol) => {
  test("a session is its conversation, each turn once, with its calls' results and what it used", () => {
    const client = new CapturedClient(protocol, begin);
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
        const client = new CapturedClient(protocol, begin);
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
    const client = new CapturedClient(protocol, begin);
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
    const main = new CapturedClient(protocol, begin);
    const title = new CapturedClient(protocol, [{ role: "user", content: "Make the tests pass." }], {
      tools: [],
    });
    const helper = new CapturedClient(protocol, [
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
    const client = new CapturedClient(protocol, begin);
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
    const client = new CapturedClient(protocol, begin);
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
    const client = new CapturedClient(protocol, begin);
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
    const client = new CapturedClient(protocol, begin);
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
    const client = new CapturedClient(protocol, begin);
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
