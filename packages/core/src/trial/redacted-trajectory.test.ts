import { expect, test } from "vitest";
import { wordRedactor } from "../../../../test/fakes/word-redactor.ts";
import { parseTrajectory, type Trajectory } from "../atif/trajectory.ts";
import { redactedTrajectory } from "./redacted-trajectory.ts";

const turn = (step_id: number, message: string) => ({
  step_id,
  source: "agent" as const,
  message,
  metrics: { prompt_tokens: 3, completion_token_ids: [1, 2], logprobs: [-1, -2] },
});

function trajectory(messages: readonly string[], subagents: Trajectory[] = []): Trajectory {
  return parseTrajectory(
    {
      schema_version: "ATIF-v1.8",
      agent: { name: "a", version: "1" },
      steps: messages.map((message, index) => turn(index + 1, message)),
      ...(subagents.length === 0 ? {} : { subagent_trajectories: subagents }),
    },
    "test",
  );
}

test("a trajectory without secrets stays as it is", () => {
  const given = trajectory(["a", "b"]);
  expect(redactedTrajectory(given, wordRedactor("hunter2"))).toEqual(given);
});

test("token ids are left out from the first secret on, and the rest stays valid ATIF", () => {
  const clean = redactedTrajectory(trajectory(["a", "hunter2", "c"]), wordRedactor("hunter2"));
  expect(parseTrajectory(clean, "clean")).toEqual(clean);
  expect(clean.steps.map(({ message }) => message)).toEqual(["a", "[REDACTED:word]", "c"]);
  expect(clean.steps.map(({ metrics }) => metrics?.completion_token_ids)).toEqual([
    [1, 2],
    undefined,
    undefined,
  ]);
  expect(clean.steps.slice(1).map(({ metrics }) => metrics)).toEqual([
    { prompt_tokens: 3 },
    { prompt_tokens: 3 },
  ]);
});

test("trajectories of subagents are redacted too", () => {
  const inner = { ...trajectory(["hunter2"]), trajectory_id: "sub" };
  const clean = redactedTrajectory(trajectory(["a"], [inner]), wordRedactor("hunter2"));
  expect(JSON.stringify(clean)).not.toContain("hunter2");
});
