import { expect, test } from "vitest";
import { parseTrajectory, type Trajectory } from "../../atif/trajectory.ts";
import { chainSteps, joinTrajectories, splitTrajectory } from "./trajectory-files.ts";

function trajectory(text: string, more: Partial<Trajectory> = {}): Trajectory {
  const agent = { name: "terminus-2", version: "2.0" };
  return {
    schema_version: "ATIF-v1.5",
    agent,
    steps: [{ step_id: 1, source: "agent", message: text }],
    ...more,
  };
}

function bytes(files: Record<string, unknown>) {
  return Object.entries(files).map(([name, value]) => ({
    name,
    bytes: Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
  }));
}

test("a single file stays as it is", () => {
  const only = trajectory("hello");
  expect(joinTrajectories(bytes({ "trajectory.json": only }))).toEqual({ trajectory: only, problems: [] });
  expect(splitTrajectory(only)).toEqual({ "trajectory.json": only });
});

test("continuations and subagents are one valid document, led by the last of the chain, and come apart again", () => {
  const files = {
    "trajectory.json": trajectory("first", { continued_trajectory_ref: "trajectory.cont-1.json" }),
    "trajectory.cont-1.json": trajectory("second", { extra: { kept: 1 }, trajectory_id: "t-2" }),
    "trajectory.summarization-1-summary.json": trajectory("summary", {
      trajectory_id: "t-3",
      subagent_trajectories: [trajectory("inner", { trajectory_id: "inner" })],
    }),
  };
  const { trajectory: joined, problems } = joinTrajectories(bytes(files));
  expect(problems).toEqual([]);
  expect(joined?.steps[0]?.message).toBe("second");
  expect(joined?.subagent_trajectories?.map((each) => each.trajectory_id)).toEqual([
    "file:trajectory.json",
    "file:trajectory.summarization-1-summary.json",
  ]);
  const whole = parseTrajectory(JSON.parse(JSON.stringify(joined)), "joined");
  expect(splitTrajectory(whole)).toEqual(files);
});

test("a file that is none is named, and the others are taken", () => {
  const { trajectory: joined, problems } = joinTrajectories(
    bytes({ "trajectory.json": trajectory("a"), "trajectory.sub.json": '{"steps": [' }),
  );
  expect(joined).toEqual(trajectory("a"));
  expect(problems).toEqual([expect.stringContaining("trajectory.sub.json: not whole JSON")]);
});

test("without a main file there is no trajectory; a chain that comes back to its start ends", () => {
  expect(joinTrajectories(bytes({ "trajectory.sub.json": trajectory("a") })).trajectory).toBeUndefined();
  const loop = trajectory("loop", { continued_trajectory_ref: "trajectory.json" });
  expect(joinTrajectories(bytes({ "trajectory.json": loop })).trajectory).toEqual(loop);
});

test("names in a trajectory lead to no file outside the agent's folder", () => {
  const evil = trajectory("a", {
    extra: { harbor_file: "../../escape.json" },
    subagent_trajectories: [trajectory("b", { trajectory_id: "file:../x.json" })],
  });
  expect(splitTrajectory(evil)).toEqual({ "trajectory.json": evil });
});

test("the steps of several task steps are numbered through, with where each begins", () => {
  const parts = ["one", "two"].map((name) => ({ name, trajectory: trajectory(name) }));
  const chained = chainSteps(parts);
  expect(parseTrajectory(chained, "chained").steps.map(({ step_id, message }) => [step_id, message])).toEqual(
    [
      [1, "one"],
      [2, "two"],
    ],
  );
  expect(chained?.extra).toEqual({
    harbor_steps: [
      { name: "one", first_step_id: 1 },
      { name: "two", first_step_id: 2 },
    ],
  });
  expect(chainSteps([])).toBeUndefined();
});
