import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type ConversationTrial, trajectoryToConversations } from "./conversations.ts";
import { parseTrajectory, type Trajectory } from "./trajectory.ts";

const fixtures = new URL("../../../../test/fixtures/harbor/", import.meta.url);
const golden = (name: string) => JSON.parse(readFileSync(new URL(name, fixtures), "utf8"));
const recorded = parseTrajectory(golden("atif_input.json"), "atif_input.json");

const trial: ConversationTrial = {
  agent: "other",
  model: "other",
  modelProvider: "openai",
  date: "2026-01-01T00:00:00Z",
  runId: "job-1",
  task: null,
  trialName: null,
};

function trajectory(...steps: Record<string, unknown>[]): Trajectory {
  const numbered = steps.map((step, index) => ({ step_id: index + 1, ...step }));
  return parseTrajectory({ agent: { name: "a", version: "1" }, steps: numbered }, "t");
}

describe("trajectoryToConversations", () => {
  test.each([
    ["embed_tools", true],
    ["no_embed", false],
  ])("gives Harbor's rows to the letter (%s)", (name, embedTools) => {
    const rows = trajectoryToConversations(recorded, trial, { episodes: "all", embedTools, sharegpt: true });
    expect(rows).toStrictEqual(golden("atif_to_conversations.json")[name]);
  });

  test("gives the last episode alone when asked", () => {
    const [row, ...more] = trajectoryToConversations(recorded, trial, { episodes: "last" });
    expect(more).toEqual([]);
    expect(row).toMatchObject({ episode: "episode-1" });
    expect(row).not.toHaveProperty("conversations_sharegpt");
  });

  test("has instruction, verifier output, result and trace source only where they are given", () => {
    const given = {
      result: "1.0",
      instruction: "do",
      verifierOutput: "ok",
      traceSource: "main",
      trialName: "t__1",
    };
    const [row] = trajectoryToConversations(recorded, { ...trial, ...given }, { episodes: "last" });
    expect(row).toMatchObject({
      result: "1.0",
      instruction: "do",
      verifier_output: "ok",
      trace_source: "main",
      trial_name: "t__1",
    });
    const [bare = {}] = trajectoryToConversations(recorded, trial, { episodes: "last" });
    expect(Object.keys(bare)).not.toContain("verifier_output");
  });

  test("has no row for a trajectory without a turn of the agent", () => {
    expect(
      trajectoryToConversations(trajectory({ source: "user", message: "hi" }), trial, { episodes: "all" }),
    ).toEqual([]);
  });

  test("keeps only the first text of a list, as Harbor does", () => {
    const parts = [
      { type: "text", text: "one" },
      { type: "text", text: "two" },
    ];
    const steps = [
      { source: "user", message: parts },
      { source: "agent", message: "ok" },
    ];
    const [row] = trajectoryToConversations(trajectory(...steps), trial, { episodes: "all" });
    expect(row?.conversations[0]).toEqual({ role: "user", content: "one" });
  });

  test("refuses pictures, naming the step", () => {
    const picture = { type: "image", source: { media_type: "image/png", path: "a.png" } };
    const result = { content: [picture] };
    for (const steps of [
      [{ source: "user", message: [picture] }],
      [{ source: "agent", message: "", observation: { results: [result] } }],
      [{ source: "user", message: "", extra: { unconverted: [{ type: "input_file" }] } }],
    ]) {
      expect(() => trajectoryToConversations(trajectory(...steps), trial, { episodes: "all" })).toThrow(
        expect.objectContaining({
          code: "unsupported",
          message: expect.stringContaining("step 1 has content of type"),
        }),
      );
    }
  });
});
