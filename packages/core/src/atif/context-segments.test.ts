import { describe, expect, test } from "vitest";
import { contextReplaced, contextSegments } from "./context-segments.ts";
import { trajectoryToConversations } from "./conversations.ts";
import { trajectoryToMessages } from "./messages.ts";
import { parseTrajectory } from "./trajectory.ts";

const said = (source: string, message: string, rest: Record<string, unknown> = {}) => ({
  source,
  message,
  ...rest,
});

function trajectoryOf(steps: ReturnType<typeof said>[]) {
  const numbered = steps.map((step, index) => ({ step_id: index + 1, ...step }));
  return parseTrajectory({ agent: { name: "a", version: "1" }, steps: numbered }, "test");
}

const replaced = trajectoryOf([
  said("system", "Be brief."),
  said("user", "Task"),
  said("agent", "one"),
  said("agent", "two"),
  said("system", "Handed over.", {
    extra: contextReplaced,
    observation: { results: [{ subagent_trajectory_ref: [{ trajectory_id: "s" }] }] },
  }),
  said("system", "Be brief."),
  said("user", "What was done: one, two"),
  said("agent", "Which port?", { is_copied_context: true }),
  said("user", "80"),
  said("agent", "three"),
]);

describe("a trajectory whose context was replaced", () => {
  test("is the conversations that the model really had", () => {
    const texts = contextSegments(replaced).map((segment) =>
      trajectoryToMessages(segment).messages.map(({ content }) => content),
    );
    expect(texts).toEqual([
      ["Be brief.", "Task", "one", "two"],
      ["Be brief.", "What was done: one, two", "Which port?", "80", "three"],
    ]);
  });

  test("has rows in Harbor's form that mix no contexts", () => {
    const trial = {
      agent: "a",
      model: "m",
      modelProvider: "",
      date: "",
      runId: "",
      task: null,
      trialName: null,
    };
    const rows = (episodes: "all" | "last") =>
      trajectoryToConversations(replaced, trial, { episodes }).map(({ episode, conversations }) => [
        episode,
        conversations.length,
        conversations.at(-1)?.content,
      ]);
    expect(rows("all")).toEqual([
      ["episode-0", 3, "one"],
      ["episode-1", 4, "two"],
      ["episode-2", 5, "three"],
    ]);
    expect(rows("last")).toEqual([
      ["episode-1", 4, "two"],
      ["episode-2", 5, "three"],
    ]);
  });
});

test("a trajectory of another agent stays whole, though it notes a summary", () => {
  const harbors = trajectoryOf([
    said("user", "Task"),
    said("agent", "one"),
    said("system", "Summarised.", {
      extra: { context_management: { type: "compaction", boundary: "replace" } },
    }),
    said("agent", "two"),
  ]);
  expect(contextSegments(harbors)).toEqual([harbors]);
});
