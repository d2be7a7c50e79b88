import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Solution, Task } from "../production/schemas.ts";
import { solutionToTrajectory } from "./from-solution.ts";

function convert(task: Record<string, unknown>, solution: Record<string, unknown>) {
  return solutionToTrajectory({
    task: Task.parse({ id: "t1", ...task }),
    solution: Solution.parse({ id: "s1", ...solution }),
  });
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const request = {
  responses_create_params: {
    instructions: "Be brief.",
    input: [{ role: "user", content: [{ type: "input_text", text: "List files" }] }],
    tools: [
      { type: "function", name: "bash", description: "run", parameters: { type: "object" }, strict: true },
    ],
  },
};

const message = (text: string, rest: Record<string, unknown> = {}) => ({
  type: "message",
  role: "assistant",
  content: [{ type: "output_text", text, annotations: [] }],
  ...rest,
});
const functionCall = (id: string, args: unknown = '{"cmd": "ls"}') => ({
  type: "function_call",
  call_id: id,
  name: "bash",
  arguments: args,
});
const output = (id: string, text: unknown) => ({ type: "function_call_output", call_id: id, output: text });
const reasoning = (text: string) => ({ type: "reasoning", summary: [{ type: "summary_text", text }] });

function stepsOf(...items: unknown[]) {
  return plain(convert({ prompt: "p" }, { response: { output: items } }).steps.slice(1)) as Record<
    string,
    unknown
  >[];
}

describe("a solution in OpenAI Responses form", () => {
  test("becomes a step for each turn of the model, with its calls and what they returned", () => {
    const items = [
      reasoning("I look."),
      message("Looking."),
      functionCall("c1"),
      functionCall("c2", '{"cmd": "pwd"}'),
      output("c1", "a.txt"),
      output("c2", "/app"),
      message("One file."),
    ];
    const usage = {
      input_tokens: 10,
      output_tokens: 5,
      input_tokens_details: { cached_tokens: 4 },
      output_tokens_details: { reasoning_tokens: 2 },
    };
    const trajectory = convert(request, {
      agent: "cli",
      model: "m/1",
      response: { output: items, usage, status: "completed" },
    });
    expect(plain(trajectory)).toEqual({
      schema_version: "ATIF-v1.8",
      session_id: "s1",
      agent: {
        name: "cli",
        version: "unknown",
        model_name: "m/1",
        tool_definitions: [
          {
            type: "function",
            function: { name: "bash", description: "run", parameters: { type: "object" }, strict: true },
          },
        ],
      },
      steps: [
        { step_id: 1, source: "system", message: "Be brief." },
        { step_id: 2, source: "user", message: "List files" },
        {
          step_id: 3,
          source: "agent",
          message: "Looking.",
          reasoning_content: "I look.",
          tool_calls: [
            { tool_call_id: "c1", function_name: "bash", arguments: { cmd: "ls" } },
            { tool_call_id: "c2", function_name: "bash", arguments: { cmd: "pwd" } },
          ],
          observation: {
            results: [
              { source_call_id: "c1", content: "a.txt" },
              { source_call_id: "c2", content: "/app" },
            ],
          },
        },
        { step_id: 4, source: "agent", message: "One file." },
      ],
      final_metrics: {
        total_prompt_tokens: 10,
        total_completion_tokens: 5,
        total_cached_tokens: 4,
        total_steps: 4,
        extra: { reasoning_tokens: 2 },
      },
      extra: { task_id: "t1", solution_id: "s1", source_form: "response", response: { status: "completed" } },
    });
  });

  test("marks the assistant's turns of the request as copied context", () => {
    const input = [
      { role: "developer", content: "Rules." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
      functionCall("h"),
      output("h", "old"),
      { role: "user", content: "Go on" },
    ];
    const { steps } = convert(
      { responses_create_params: { input } },
      { response: { output: [message("Done")] } },
    );
    expect(steps.map((step) => [step.source, step.is_copied_context === true])).toEqual([
      ["system", false],
      ["user", false],
      ["agent", true],
      ["user", false],
      ["agent", false],
    ]);
    expect(steps[2]?.observation?.results).toHaveLength(1);
  });

  test.each([
    [{ responses_create_params: { input: "As text" } }, "As text"],
    [
      { responses_create_params: { input: [], metadata: { problem_statement: "As metadata" } }, prompt: "x" },
      "As metadata",
    ],
    [{ responses_create_params: { input: [] }, prompt: "As prompt" }, "As prompt"],
    [{ messages: [{ role: "user", content: "As chat" }] }, "As chat"],
    [{ title: "As title" }, "As title"],
  ])("finds what was asked in %j", (task, asked) => {
    const { steps } = convert(task, { response: { output: [message("ok")] } });
    expect(steps[0]).toMatchObject({ source: "user", message: asked });
  });

  test.each([
    ["not json", { _raw: "not json" }],
    ["[1]", { _raw: "[1]" }],
    ["3", { _raw: "3" }],
  ])("keeps arguments that are no object (%s), flagged", (raw, kept) => {
    const [step] = stepsOf(functionCall("c", raw), output("c", "error"));
    expect(step?.tool_calls).toEqual([
      { tool_call_id: "c", function_name: "bash", arguments: kept, extra: { arguments_not_object: true } },
    ]);
  });

  test("keeps digits that a number cannot hold", () => {
    const [step] = stepsOf(functionCall("c", '{"id": 12345678901234567890}'), output("c", ""));
    expect(step).toMatchObject({
      tool_calls: [{ extra: { raw_arguments: '{"id": 12345678901234567890}' } }],
    });
  });

  test("takes no arguments as an empty object", () => {
    expect(stepsOf(functionCall("c", ""), output("c", ""))[0]).toMatchObject({
      tool_calls: [{ arguments: {} }],
    });
  });

  test("flags a call that nothing answered", () => {
    expect(stepsOf(functionCall("c"))[0]).toMatchObject({ tool_calls: [{ extra: { unanswered: true } }] });
  });

  test("keeps an output whose call is unknown, flagged", () => {
    expect(stepsOf(message("a"), output("ghost", "boo"))).toEqual([
      {
        step_id: 2,
        source: "agent",
        message: "a",
        observation: { results: [{ content: "boo", extra: { unknown_call_id: "ghost" } }] },
      },
    ]);
  });

  test("gives a late output to the turn that called", () => {
    const steps = stepsOf(
      functionCall("a"),
      functionCall("b"),
      output("a", "A"),
      message("wait"),
      output("b", "B"),
    );
    expect(steps[0]).toMatchObject({
      observation: { results: [{ source_call_id: "a" }, { source_call_id: "b", content: "B" }] },
    });
    expect(steps[1]).not.toHaveProperty("observation");
  });

  test("tells apart calls that share an id", () => {
    const again = stepsOf(functionCall("c"), output("c", "1"), functionCall("c"), output("c", "2"));
    expect(again.map((step) => step.observation)).toEqual([
      { results: [{ source_call_id: "c", content: "1" }] },
      { results: [{ source_call_id: "c", content: "2" }] },
    ]);
    const [together] = stepsOf(functionCall("c"), functionCall("c"), output("c", "1"), output("c", "2"));
    expect(together).toMatchObject({
      tool_calls: [{ tool_call_id: "c" }, { tool_call_id: "c#2", extra: { source_id: "c" } }],
      observation: { results: [{ source_call_id: "c" }, { source_call_id: "c#2" }] },
    });
  });

  test("keeps token ids and log probabilities, a step for each model call", () => {
    const tokens = (base: number) => ({
      prompt_token_ids: [base],
      generation_token_ids: [base + 1],
      generation_log_probs: [-0.5],
    });
    const steps = stepsOf(
      message("a", tokens(1)),
      message("b", tokens(3)),
      message("c", { prompt_token_ids: [] }),
    );
    expect(steps.map((step) => [step.message, step.metrics])).toEqual([
      ["a", { prompt_token_ids: [1], completion_token_ids: [2], logprobs: [-0.5] }],
      ["b\n\nc", { prompt_token_ids: [3], completion_token_ids: [4], logprobs: [-0.5] }],
    ]);
  });

  test("reads log probabilities from their place in the API's own form", () => {
    const content = [{ type: "output_text", text: "hi", logprobs: [{ token: "hi", logprob: -0.1 }] }];
    expect(stepsOf({ type: "message", role: "assistant", content })[0]).toMatchObject({
      metrics: { logprobs: [-0.1] },
    });
  });

  test("keeps built-in tools, refusals, encrypted reasoning and unknown items", () => {
    const [step] = stepsOf(
      { type: "reasoning", summary: [], encrypted_content: "xyz" },
      { type: "web_search_call", id: "w", status: "completed", action: { query: "q" } },
      { type: "mcp_call", id: "m", name: "find", arguments: "{}", output: "found" },
      { type: "message", role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
    );
    expect(step).toMatchObject({
      tool_calls: [
        { tool_call_id: "w", function_name: "web_search", arguments: { action: { query: "q" } } },
        { tool_call_id: "m", function_name: "find" },
      ],
      observation: { results: [{ source_call_id: "m", content: "found" }] },
      extra: { encrypted_reasoning: ["xyz"] },
    });
    expect(stepsOf({ type: "hologram", data: 1 })[0]).toMatchObject({
      extra: { unconverted: [{ type: "hologram", data: 1 }] },
    });
  });

  test("keeps pictures as parts, and parts without a place in extra", () => {
    const content = [
      { type: "input_text", text: "See" },
      { type: "input_image", image_url: "data:image/png;base64,AA==" },
      { type: "input_file", file_id: "f" },
    ];
    const { steps } = convert(
      { responses_create_params: { input: [{ role: "user", content }] } },
      { response: { output: [] } },
    );
    expect(plain(steps[0])).toEqual({
      step_id: 1,
      source: "user",
      message: [
        { type: "text", text: "See" },
        { type: "image", source: { media_type: "image/png", path: "data:image/png;base64,AA==" } },
      ],
      extra: { unconverted: [{ type: "input_file", file_id: "f" }] },
    });
  });

  test("keeps a picture that an ingest has moved to the store as a part", () => {
    const path = `artifact:${"0".repeat(64)};image/png`;
    const content = [{ type: "input_image", image_url: path }];
    const { steps } = convert(
      { responses_create_params: { input: [{ role: "user", content }] } },
      { response: { output: [] } },
    );
    const part = { type: "image", source: { media_type: "image/png", path } };
    expect(plain(steps[0])).toMatchObject({ message: [part] });
  });

  test("keeps an output that is data rather than text", () => {
    expect(stepsOf(functionCall("c"), output("c", { exit: 0 }))[0]).toMatchObject({
      observation: { results: [{ content: '{"exit":0}' }] },
    });
  });

  test("says what is wrong with the response", () => {
    expect(() => convert({}, { response: {} })).toThrow(
      "solution s1 of task t1: `response.output` is not a list of items",
    );
    expect(() => convert({}, { response: { output: [] } })).toThrow(
      /solution s1 of task t1: `steps`: needs at least one step/,
    );
  });
});

describe("any items in any order", () => {
  const id = fc.constantFrom("a", "b", "c");
  const words = fc.integer({ min: 1_000_000, max: 9_999_999 }).map((number) => `w${number}`);
  const item = fc.oneof(
    words.map((text) => message(text)),
    words.map(reasoning),
    words.map((text) => ({ role: "user", content: text })),
    fc.tuple(id, words).map(([call, text]) => functionCall(call, JSON.stringify({ text }))),
    fc.tuple(id, words).map(([call, text]) => functionCall(call, text)),
    fc.tuple(id, words).map(([call, text]) => output(call, text)),
    words.map((text) => ({ type: text })),
  );

  test("give a valid trajectory that has every word once", () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 20 }), (items) => {
        const given = JSON.stringify(items).match(/w\d{7}/g) ?? [];
        const kept =
          JSON.stringify(convert({}, { response: { output: items } }).steps).match(/w\d{7}/g) ?? [];
        expect(kept.toSorted()).toEqual(given.toSorted());
      }),
      { numRuns: 300 },
    );
  });
});
