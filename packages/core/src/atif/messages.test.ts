import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { trajectoryToMessages } from "./messages.ts";
import { parseTrajectory } from "./trajectory.ts";

const fixtures = new URL("../../../../test/fixtures/harbor/", import.meta.url);
const recorded = JSON.parse(readFileSync(new URL("atif_input.json", fixtures), "utf8"));

function messagesOf(...steps: Record<string, unknown>[]) {
  const numbered = steps.map((step, index) => ({ step_id: index + 1, ...step }));
  return trajectoryToMessages(parseTrajectory({ agent: { name: "a", version: "1" }, steps: numbered }, "t"))
    .messages;
}

const call = (id: string, args: Record<string, unknown> = {}) => ({
  tool_call_id: id,
  function_name: "bash",
  arguments: args,
});

describe("trajectoryToMessages", () => {
  test("keeps roles, reasoning, native tool calls, all text, and copied context once", () => {
    expect(trajectoryToMessages(parseTrajectory(recorded, "t"))).toEqual({
      messages: [
        { role: "system", content: "You are a terminal agent." },
        { role: "user", content: "Create /app/hello.txt containing Grüße 🎉" },
        {
          role: "assistant",
          content: "I will write the file.",
          reasoning_content: "simple",
          tool_calls: [
            {
              id: "c1",
              type: "function",
              function: { name: "bash", arguments: '{"cmd":"echo \'Grüße 🎉\' > /app/hello.txt"}' },
            },
          ],
        },
        { role: "tool", tool_call_id: "c1", content: "ok" },
        { role: "user", content: "second" },
        { role: "assistant", content: "copied" },
        { role: "user", content: "copied obs" },
        { role: "assistant", content: "stray reasoning</think>Done." },
        { role: "user", content: "part1\npart2" },
      ],
      tools: recorded.agent.tool_definitions,
    });
  });

  test("answers parallel calls in the order of the calls, one message each", () => {
    const results = [
      { source_call_id: "b", content: "B" },
      { source_call_id: "a", content: "A1" },
      { source_call_id: "a", content: "A2" },
    ];
    const step = {
      source: "agent",
      message: "",
      tool_calls: [call("a"), call("b")],
      observation: { results },
    };
    expect(messagesOf(step).slice(1)).toEqual([
      { role: "tool", tool_call_id: "a", content: "A1\nA2" },
      { role: "tool", tool_call_id: "b", content: "B" },
    ]);
  });

  test("makes up no output for a call that nothing answered", () => {
    const [message, ...more] = messagesOf({ source: "agent", message: "", tool_calls: [call("a")] });
    expect(message?.tool_calls).toHaveLength(1);
    expect(more).toEqual([]);
  });

  test("writes arguments with the digits that the model wrote", () => {
    const raw = '{"id": 12345678901234567890}';
    const exact = { ...call("a", JSON.parse(raw)), extra: { raw_arguments: raw } };
    const [message] = messagesOf({ source: "agent", message: "", tool_calls: [exact] });
    expect(message?.tool_calls?.[0]?.function.arguments).toBe(raw);
  });

  test("refuses pictures rather than dropping them", () => {
    const picture = { type: "image", source: { media_type: "image/png", path: "a.png" } };
    expect(() => messagesOf({ source: "user", message: [picture] })).toThrow(
      /step 1 has content of type image/,
    );
  });
});
