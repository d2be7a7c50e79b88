import { describe, expect, test } from "vitest";
import { Solution, Task } from "../production/schemas.ts";
import { solutionToTrajectory } from "./from-solution.ts";
import { trajectoryToMessages } from "./messages.ts";

function convert(task: Record<string, unknown>, solution: Record<string, unknown>) {
  return solutionToTrajectory({
    task: Task.parse({ id: "t1", ...task }),
    solution: Solution.parse({ id: "s1", ...solution }),
  });
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe("a solution in OpenAI chat form", () => {
  const chat = [
    { role: "user", content: "List files" },
    {
      role: "assistant",
      content: null,
      reasoning_content: "I look.",
      tool_calls: [{ id: "c1", type: "function", function: { name: "bash", arguments: '{"cmd":"ls"}' } }],
    },
    { role: "tool", tool_call_id: "c1", content: "a.txt" },
    { role: "assistant", content: "One file." },
  ];

  test("comes out of the other end as it went in", () => {
    const { messages } = trajectoryToMessages(convert({}, { messages: chat }));
    expect(messages).toEqual(chat.map((one) => ({ ...one, content: one.content ?? "" })));
  });

  test("takes the task's messages at its start as the request", () => {
    const asked = [{ role: "user", content: "Hi" }, { role: "assistant", content: "Hello" }, chat[0]];
    const { steps } = convert({ messages: asked }, { messages: [...asked, ...chat.slice(1)] });
    expect(steps.map((step) => [step.source, step.is_copied_context === true])).toEqual([
      ["user", false],
      ["agent", true],
      ["user", false],
      ["agent", false],
      ["agent", false],
    ]);
  });

  test("puts the task's request before messages that begin with the agent", () => {
    const { steps } = convert({ prompt: "List files" }, { messages: chat.slice(1) });
    expect(steps[0]).toMatchObject({ source: "user", message: "List files" });
    expect(steps).toHaveLength(3);
  });

  test("understands the old function_call form and refusals", () => {
    const { steps } = convert(
      { prompt: "p" },
      {
        messages: [
          { role: "assistant", content: "", function_call: { name: "f", arguments: "{}" } },
          { role: "function", name: "f", content: "out" },
          { role: "assistant", content: null, refusal: "No." },
        ],
      },
    );
    expect(steps[1]).toMatchObject({ observation: { results: [{ source_call_id: "f", content: "out" }] } });
    expect(steps[2]).toMatchObject({ message: "No.", extra: { refusal: true } });
  });
});

describe("a solution in the simple form", () => {
  test("becomes a step each, and its answer the last word", () => {
    const steps = [
      {
        thought: "t",
        tool: "bash",
        arguments: { command: "ls" },
        observation: "a",
        timestamp: "2026-01-01T00:00:00Z",
      },
      { message: "Hm", timestamp: "later" },
    ];
    expect(plain(convert({ prompt: "p" }, { steps, answer: 42 }).steps)).toEqual([
      { step_id: 1, source: "user", message: "p" },
      {
        step_id: 2,
        source: "agent",
        timestamp: "2026-01-01T00:00:00Z",
        message: "",
        reasoning_content: "t",
        tool_calls: [{ tool_call_id: "call_1", function_name: "bash", arguments: { command: "ls" } }],
        observation: { results: [{ source_call_id: "call_1", content: "a" }] },
      },
      { step_id: 3, source: "agent", message: "Hm", extra: { timestamp: "later" } },
      { step_id: 4, source: "agent", message: "42" },
    ]);
  });

  test("says an answer once", () => {
    const { steps } = convert({ prompt: "p" }, { steps: [{ message: "It is 42." }], answer: "42" });
    expect(steps).toHaveLength(2);
  });

  test("takes an answer alone", () => {
    expect(convert({ prompt: "p" }, { answer: "42" }).steps[1]).toMatchObject({
      source: "agent",
      message: "42",
    });
  });

  test.each([{ fields: { name: "Ada", total: 3 } }, ["a", "b"], true])(
    "says an answer that is no text as JSON, and keeps it as it is (%j)",
    (answer) => {
      const { steps, extra } = convert({ prompt: "p" }, { steps: [{ message: "Done." }], answer });
      expect(steps.at(-1)).toMatchObject({ source: "agent", message: JSON.stringify(answer) });
      expect(extra).toMatchObject({ answer });
    },
  );
});

describe("a solution with a trajectory", () => {
  const trajectory = {
    schema_version: "ATIF-v1.4",
    agent: { name: "a", version: "2" },
    steps: [{ step_id: 1, source: "user", message: "x" }],
  };

  test("keeps it as it is", () => {
    expect(plain(convert({}, { trajectory }))).toEqual(trajectory);
  });

  test("is refused when an observation names no call", () => {
    const result = { source_call_id: "ghost", content: "" };
    const steps = [{ step_id: 1, source: "agent", message: "", observation: { results: [result] } }];
    expect(() => convert({}, { trajectory: { ...trajectory, steps } })).toThrow(
      expect.objectContaining({
        code: "invalid-trajectory",
        message: expect.stringMatching(
          /^solution s1 of task t1: trajectory: `steps.0.observation.results.0.source_call_id`/,
        ),
      }),
    );
  });
});

test("a solution without any steps is refused", () => {
  expect(() => convert({}, {})).toThrow(/solution s1 of task t1: no steps; it needs one of `trajectory`/);
});
