import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contextSegments } from "../context-segments.ts";
import { parseTrajectory } from "../trajectory.ts";
import { codexTrajectory } from "./codex.ts";
import type { NativeLog } from "./log-lines.ts";

const at = (second: number) => `2026-11-21T18:57:${String(second).padStart(2, "0")}.000Z`;

function line(second: number, type: string, payload: unknown): string {
  return JSON.stringify({ timestamp: at(second), type, payload });
}

const item = (second: number, payload: unknown) => line(second, "response_item", payload);
const message = (role: string, text: string) => ({
  type: "message",
  role,
  content: [{ type: role === "assistant" ? "output_text" : "input_text", text }],
  internal_chat_message_metadata_passthrough: { turn_id: "t" },
});
const call = (id: string, cmd: string) => ({
  type: "function_call",
  name: "exec_command",
  arguments: JSON.stringify({ cmd }),
  call_id: id,
});
const output = (id: string, text: string) => ({ type: "function_call_output", call_id: id, output: text });
const counts = (input: number, out: number, cached = 0) => ({
  input_tokens: input,
  cached_input_tokens: cached,
  output_tokens: out,
  reasoning_output_tokens: 2,
});
const used = (second: number, usage: unknown) => line(second, "token_usage_record", { usage });
const begin = (id: string, more: Record<string, unknown> = {}) =>
  line(1, "session_meta", {
    id,
    session_id: "s1",
    cli_version: "0.169.0",
    thread_source: "user",
    base_instructions: { text: "You are Codex." },
    ...more,
  });
const context = line(2, "turn_context", { model: "gpt-x" });

function log(path: string, ...lines: string[]): NativeLog {
  return { path, text: `${lines.join("\n")}\n` };
}

const session = log(
  "sessions/a.jsonl",
  begin("s1"),
  context,
  item(3, message("developer", "Be brief.")),
  item(3, message("user", "Sort the words.")),
  item(4, { type: "reasoning", summary: [{ type: "summary_text", text: "I look first." }], content: null }),
  item(4, message("assistant", "Looking.")),
  item(5, call("c1", "ls")),
  item(5, call("c2", "cat x")),
  used(5, counts(100, 11, 10)),
  item(6, output("c2", "no such file")),
  item(6, output("c1", "words.txt")),
  item(7, { type: "custom_tool_call", name: "apply_patch", input: "*** Begin Patch", call_id: "c3" }),
  used(7, counts(200, 12)),
  item(8, { type: "custom_tool_call_output", call_id: "c3", output: "Done" }),
  item(9, message("assistant", "All sorted.")),
  used(9, counts(300, 13)),
);

describe("codexTrajectory", () => {
  test("each answer of the model is one step, with its calls, what they gave, and its own token counts", () => {
    const trajectory = codexTrajectory([session]);
    expect(parseTrajectory(trajectory, "t")).toMatchObject({
      session_id: "s1",
      agent: { name: "codex", version: "0.169.0", model_name: "gpt-x" },
      steps: [
        { source: "system", message: "You are Codex." },
        { source: "system", message: "Be brief." },
        { source: "user", message: "Sort the words.", timestamp: at(3) },
        {
          source: "agent",
          message: "Looking.",
          reasoning_content: "I look first.",
          model_name: "gpt-x",
          tool_calls: [
            { tool_call_id: "c1", function_name: "exec_command", arguments: { cmd: "ls" } },
            { tool_call_id: "c2", arguments: { cmd: "cat x" } },
          ],
          observation: {
            results: [
              { source_call_id: "c2", content: "no such file" },
              { source_call_id: "c1", content: "words.txt" },
            ],
          },
          metrics: {
            prompt_tokens: 100,
            completion_tokens: 11,
            cached_tokens: 10,
            extra: { reasoning_tokens: 2 },
          },
        },
        {
          tool_calls: [{ function_name: "apply_patch", arguments: { input: "*** Begin Patch" } }],
          metrics: { prompt_tokens: 200 },
        },
        { message: "All sorted.", metrics: { completion_tokens: 13 } },
      ],
    });
  });

  test("older logs, which tell the counts after the tools have answered and repeat them, give the same", () => {
    const event = (second: number, total: number, usage: unknown) =>
      line(second, "event_msg", {
        type: "token_count",
        info: { total_token_usage: { total }, last_token_usage: usage },
      });
    const older = log(
      "sessions/a.jsonl",
      begin("s1"),
      context,
      item(3, message("user", "Go.")),
      line(3, "event_msg", { type: "token_count", info: null }),
      item(4, call("c1", "ls")),
      item(5, output("c1", "x")),
      event(5, 111, counts(100, 11)),
      item(6, message("assistant", "Done.")),
      event(6, 111, counts(100, 11)),
      event(7, 323, counts(200, 12)),
    );
    const steps = codexTrajectory([older])?.steps.slice(2);
    expect(steps).toMatchObject([
      { tool_calls: [{ tool_call_id: "c1" }], metrics: { prompt_tokens: 100 }, observation: {} },
      { message: "Done.", metrics: { prompt_tokens: 200 } },
    ]);
    expect(steps).toHaveLength(2);
  });

  test("two answers with nothing between them are two steps", () => {
    const twice = log(
      "a",
      begin("s1"),
      item(3, message("assistant", "One.")),
      used(3, counts(1, 1)),
      item(4, message("assistant", "Two.")),
      used(4, counts(2, 2)),
    );
    expect(codexTrajectory([twice])?.steps.slice(1)).toMatchObject([
      { message: "One.", metrics: { prompt_tokens: 1 } },
      { message: "Two.", metrics: { prompt_tokens: 2 } },
    ]);
  });

  test("a compaction is a step that says what the conversation went on from", () => {
    const compacted = log(
      "a",
      begin("s1"),
      item(3, message("user", "Go.")),
      item(4, message("assistant", "Working.")),
      used(4, counts(900, 1)),
      used(5, counts(950, 30)),
      line(5, "compacted", { message: "So far: nothing.", replacement_history: [message("user", "Go.")] }),
      item(6, message("assistant", "Done.")),
      used(6, counts(50, 1)),
    );
    const trajectory = parseTrajectory(codexTrajectory([compacted]), "t");
    expect(trajectory.steps.map(({ message: said }) => said)).toEqual([
      "You are Codex.",
      "Go.",
      "Working.",
      "So far: nothing.",
      "You are Codex.",
      "Go.",
      "Done.",
    ]);
    const contexts = contextSegments(trajectory).map(({ steps }) => steps.map((step) => step.message));
    expect(contexts).toEqual([
      ["You are Codex.", "Go.", "Working."],
      ["You are Codex.", "Go.", "Done."],
    ]);
    expect(trajectory.notes).toContain("compacted 1 time");
    expect(trajectory.extra?.other_usage).toMatchObject([{ input_tokens: 950 }]);
  });

  test("threads that the session started are its subagents, found from the call that started them", () => {
    const parent = log(
      "sessions/b.jsonl",
      begin("s1"),
      item(3, call("c1", "spawn")),
      item(4, output("c1", '{"agent_id":"s2"}')),
      item(5, message("assistant", "Done.")),
    );
    const child = log(
      "sessions/a.jsonl",
      begin("s2", { thread_source: "subagent" }),
      item(3, message("assistant", "I helped.")),
    );
    const trajectory = parseTrajectory(codexTrajectory([child, parent]), "t");
    expect(trajectory.steps.at(-1)?.message).toBe("Done.");
    expect(trajectory.steps[1]?.observation?.results[0]?.subagent_trajectory_ref).toEqual([
      { trajectory_id: "s2" },
    ]);
    expect(trajectory.subagent_trajectories).toMatchObject([
      { trajectory_id: "s2", steps: [{}, { message: "I helped." }] },
    ]);
  });

  test("a log that was cut off gives what it has, and nothing of a log is lost without a word", () => {
    const cut = log(
      "a",
      begin("s1"),
      line(2, "event_msg", { type: "error", message: "stream broke" }),
      line(2, "world_state", {}),
      JSON.stringify({ type: "new_kind", payload: 1 }),
      item(3, call("c1", "sleep 60")),
      '{"timestamp":"2026-11-',
    );
    const trajectory = parseTrajectory(codexTrajectory([cut]), "t");
    expect(trajectory.steps.at(-1)?.tool_calls?.[0]?.extra).toEqual({ unanswered: true });
    expect(trajectory.extra).toMatchObject({
      events: [{ message: "stream broke" }],
      left_out: { world_state: 1 },
      unconverted: ['{"timestamp":"2026-11-', { type: "new_kind" }],
    });
  });

  test("logs without a single message give no trajectory", () => {
    expect(codexTrajectory([])).toBeUndefined();
    expect(codexTrajectory([log("a", "garbage")])).toBeUndefined();
  });

  test("whatever stands in a log, the trajectory is a valid one", () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const known = fc.record({
      timestamp: fc.oneof(fc.constant(at(1)), json),
      type: fc.constantFrom(
        "session_meta",
        "turn_context",
        "response_item",
        "token_usage_record",
        "compacted",
        "event_msg",
      ),
      payload: fc.oneof(
        json,
        fc.record({
          type: fc.constantFrom(
            "message",
            "reasoning",
            "function_call",
            "function_call_output",
            "token_count",
            "x",
          ),
          role: fc.oneof(fc.constantFrom("user", "assistant", "developer"), json),
          content: json,
          summary: json,
          call_id: fc.oneof(fc.constantFrom("c1", "c2"), json),
          name: json,
          arguments: json,
          output: json,
          usage: json,
          info: fc.record({ last_token_usage: json }, { requiredKeys: [] }),
          message: json,
          model: json,
          id: json,
          session_id: json,
          cli_version: json,
        }),
      ),
    });
    const text = fc
      .array(
        fc.oneof(
          known.map((value) => JSON.stringify(value)),
          json.map((value) => JSON.stringify(value)),
          fc.string(),
        ),
      )
      .map((lines) => lines.join("\n"));
    fc.assert(
      fc.property(fc.array(fc.record({ path: fc.string(), text }), { maxLength: 3 }), (logs) => {
        const trajectory = codexTrajectory(logs);
        if (trajectory !== undefined) parseTrajectory(trajectory, "t");
      }),
      { numRuns: 300 },
    );
  });
});
