import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contextSegments } from "../context-segments.ts";
import { parseTrajectory } from "../trajectory.ts";
import { claudeCodeTrajectory } from "./claude-code.ts";
import type { NativeLog } from "./log-lines.ts";

let serial = 0;

/** A line as Claude Code writes it, following the one before. */
function line(parts: Record<string, unknown>): string {
  serial += 1;
  return JSON.stringify({
    uuid: `u${serial}`,
    parentUuid: `u${serial - 1}`,
    isSidechain: false,
    sessionId: "s1",
    version: "2.1.330",
    timestamp: "2026-11-21T18:58:31.000Z",
    ...parts,
  });
}

const user = (content: unknown, more: Record<string, unknown> = {}) =>
  line({ type: "user", message: { role: "user", content }, ...more });
const answer = (
  id: string,
  block: unknown,
  usage: Record<string, number>,
  more: Record<string, unknown> = {},
) =>
  line({
    type: "assistant",
    message: { id, role: "assistant", model: "claude-x", content: [block], usage },
    ...more,
  });
const result = (id: string, content: unknown, more: Record<string, unknown> = {}) =>
  user([{ type: "tool_result", tool_use_id: id, content, ...more }]);
const bash = (id: string, command: string) => ({ type: "tool_use", id, name: "Bash", input: { command } });
const said = (text: string) => ({ type: "text", text });
const usage = {
  input_tokens: 100,
  cache_read_input_tokens: 20,
  cache_creation_input_tokens: 5,
  output_tokens: 31,
};

function log(path: string, ...lines: string[]): NativeLog {
  return { path, text: `${lines.join("\n")}\n` };
}

const shape = JSON.stringify({
  type: "api-request-shape",
  sessionId: "s1",
  shape: {
    system: [said("You are Claude Code."), said("Be brief.")],
    tools: [{ name: "Bash", description: "Runs a command", input_schema: { type: "object" } }],
  },
});

describe("claudeCodeTrajectory", () => {
  test("all blocks of one answer are one step, also when results come between its lines", () => {
    const session = log(
      "projects/-app/s1.jsonl",
      user("Sort the words."),
      shape,
      answer("m1", { type: "thinking", thinking: "I look first.", signature: "sig" }, usage),
      answer("m1", said("Looking."), usage),
      answer("m1", bash("t1", "ls"), usage),
      result("t1", [said("words.txt")]),
      answer("m1", bash("t2", "cat x"), usage),
      result("t2", "Exit code 1", { is_error: true }),
      answer("m2", said("All sorted."), { input_tokens: 7, output_tokens: 3 }),
    );
    expect(parseTrajectory(claudeCodeTrajectory([session]), "t")).toMatchObject({
      session_id: "s1",
      agent: {
        name: "claude-code",
        version: "2.1.330",
        model_name: "claude-x",
        tool_definitions: [
          {
            type: "function",
            function: { name: "Bash", description: "Runs a command", parameters: { type: "object" } },
          },
        ],
      },
      steps: [
        { source: "system", message: "You are Claude Code.\n\nBe brief." },
        { source: "user", message: "Sort the words." },
        {
          source: "agent",
          message: "Looking.",
          reasoning_content: "I look first.",
          model_name: "claude-x",
          tool_calls: [
            { tool_call_id: "t1", function_name: "Bash", arguments: { command: "ls" } },
            { tool_call_id: "t2", arguments: { command: "cat x" } },
          ],
          observation: {
            results: [
              { source_call_id: "t1", content: "words.txt" },
              { source_call_id: "t2", content: "Exit code 1", extra: { is_error: true } },
            ],
          },
          metrics: {
            prompt_tokens: 125,
            completion_tokens: 31,
            cached_tokens: 20,
            extra: { cache_write_tokens: 5 },
          },
        },
        { message: "All sorted.", metrics: { prompt_tokens: 7, completion_tokens: 3 } },
      ],
    });
  });

  test("what the program tells the model by itself is told as it was put into words", () => {
    const session = log(
      "s1.jsonl",
      user("Go."),
      line({
        type: "attachment",
        attachment: { type: "date" },
        rendered: [{ content: "Today is Saturday." }],
        renderedRole: "system",
      }),
      line({ type: "attachment", attachment: { type: "session_context" } }),
      answer("m1", said("Done."), usage),
    );
    const trajectory = parseTrajectory(claudeCodeTrajectory([session]), "t");
    expect(trajectory.steps).toMatchObject([
      { source: "user" },
      { source: "system", message: "Today is Saturday.", extra: { attachment: "date" } },
      { source: "agent" },
    ]);
    expect(trajectory.extra).toEqual({ left_out: { "attachment/session_context": 1 } });
  });

  test("a sidechain in a file of its own is the subagent of the call that started it", () => {
    const session = log(
      "projects/-app/s1.jsonl",
      user("Go."),
      answer("m1", { type: "tool_use", id: "t1", name: "Agent", input: { prompt: "Help" } }, usage),
      result("t1", "It helped."),
      answer("m2", said("Done."), usage),
    );
    const side = { isSidechain: true, agentId: "a7" };
    const helper = log(
      "projects/-app/s1/subagents/agent-a7.jsonl",
      user("Help", side),
      answer("m3", said("I helped."), usage, side),
    );
    const meta = log("projects/-app/s1/subagents/agent-a7.meta.json", '{"toolUseId":"t1"}');
    const trajectory = parseTrajectory(claudeCodeTrajectory([helper, meta, session]), "t");
    expect(trajectory.steps[1]?.observation?.results[0]?.subagent_trajectory_ref).toEqual([
      { trajectory_id: "a7" },
    ]);
    expect(trajectory.subagent_trajectories).toMatchObject([
      { trajectory_id: "a7", steps: [{ message: "Help" }, { message: "I helped." }] },
    ]);
  });

  test("sidechains of older versions, among the session's lines, are told apart by their parents", () => {
    const first = user("Go.");
    const started = answer("m1", { type: "tool_use", id: "t1", name: "Task", input: {} }, usage);
    const task = user("Help", { isSidechain: true, parentUuid: null });
    const helped = answer("m2", said("I helped."), usage, { isSidechain: true });
    const session = log("s1.jsonl", first, started, task, helped, result("t1", "It helped."));
    const trajectory = parseTrajectory(claudeCodeTrajectory([session]), "t");
    expect(trajectory.steps).toMatchObject([{ message: "Go." }, { observation: { results: [{}] } }]);
    expect(trajectory.subagent_trajectories?.[0]?.steps).toMatchObject([
      { message: "Help" },
      { message: "I helped." },
    ]);
  });

  test("after a compaction the conversation goes on from the summary", () => {
    const session = log(
      "s1.jsonl",
      user("Go."),
      answer("m1", said("Working."), usage),
      line({
        type: "system",
        subtype: "compact_boundary",
        compactMetadata: { trigger: "auto", preTokens: 9 },
      }),
      user("So far: nothing.", { isCompactSummary: true }),
      answer("m2", said("Done."), usage),
    );
    const trajectory = parseTrajectory(claudeCodeTrajectory([session]), "t");
    expect(trajectory.steps[2]?.extra).toMatchObject({ trigger: "auto", preTokens: 9 });
    const contexts = contextSegments(trajectory).map(({ steps }) => steps.map((step) => step.message));
    expect(contexts).toEqual([
      ["Go.", "Working."],
      ["So far: nothing.", "Done."],
    ]);
    expect(trajectory.notes).toContain("compacted 1 time");
  });

  test("pictures that a tool gave come along; an answer that the program made up is no step", () => {
    const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } };
    const session = log(
      "s1.jsonl",
      user("Go."),
      answer("m1", bash("t1", "shot"), usage),
      result("t1", [said("here"), image]),
      line({
        type: "assistant",
        message: { id: "x", model: "<synthetic>", content: [said("API Error: 401")] },
      }),
    );
    const trajectory = parseTrajectory(claudeCodeTrajectory([session]), "t");
    expect(trajectory.steps).toHaveLength(2);
    expect(trajectory.steps[1]?.observation?.results[0]?.content).toEqual([
      { type: "text", text: "here" },
      { type: "image", source: { media_type: "image/png", path: "data:image/png;base64,AAAA" } },
    ]);
    expect(trajectory.extra).toMatchObject({ program_messages: ["API Error: 401"] });
  });

  test("whatever stands in a log, the trajectory is a valid one", () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const block = fc.record({
      type: fc.oneof(
        fc.constantFrom("text", "thinking", "tool_use", "tool_result", "image", "redacted_thinking"),
        json,
      ),
      id: fc.oneof(fc.constantFrom("t1", "t2"), json),
      tool_use_id: fc.oneof(fc.constantFrom("t1", "t2"), json),
      text: json,
      thinking: json,
      name: json,
      input: json,
      content: json,
      source: json,
    });
    const known = fc.record(
      {
        type: fc.oneof(
          fc.constantFrom("user", "assistant", "attachment", "system", "api-request-shape", "summary"),
          json,
        ),
        subtype: fc.constantFrom("compact_boundary", "x"),
        uuid: fc.oneof(fc.constantFrom("u1", "u2"), json),
        parentUuid: fc.oneof(fc.constantFrom("u1", "u2"), json),
        isSidechain: fc.oneof(fc.boolean(), json),
        isCompactSummary: fc.boolean(),
        agentId: fc.oneof(fc.constant("a1"), json),
        timestamp: json,
        message: fc.oneof(
          json,
          fc.record({ id: json, model: json, content: fc.oneof(fc.array(block), json), usage: json }),
        ),
        rendered: json,
        shape: fc.record({ system: json, tools: json }),
      },
      { requiredKeys: ["type"] },
    );
    const text = fc
      .array(
        fc.oneof(
          known.map((value) => JSON.stringify(value)),
          fc.string(),
        ),
      )
      .map((lines) => lines.join("\n"));
    const path = fc.constantFrom("s1.jsonl", "agent-a1.jsonl", "agent-a1.meta.json", "x");
    fc.assert(
      fc.property(fc.array(fc.record({ path, text }), { maxLength: 3 }), (logs) => {
        const trajectory = claudeCodeTrajectory(logs);
        if (trajectory !== undefined) parseTrajectory(trajectory, "t");
      }),
      { numRuns: 300 },
    );
  });
});
