import { describe, expect, test } from "vitest";
import { parseArguments } from "./arguments.ts";

const rest = ["run_1-1", "1700000000000", "false"];

describe("arguments of a job", () => {
  test("name the stage, the run, what to work on, and the execution", () => {
    expect(parseArguments(["trace", "run_1", "shd_a", "run_1-2", "1700000000000", "true"])).toEqual({
      stage: "trace",
      runId: "run_1",
      target: "shd_a",
      execution: "run_1-2",
      startedAt: 1_700_000_000_000,
      resumed: true,
    });
  });

  test.each([
    [["trace", "run_1", "-", ...rest], /`target`/],
    [["ingest", "run_1", "shd_a", ...rest], /`target`/],
    [["trace", "run_1", "../other", ...rest], /`target`/],
    [["trace", "", "shd_a", ...rest], /`runId`/],
    [["dance", "run_1", "shd_a", ...rest], /`stage`/],
    [["trace", "run_1", "shd_a", "run_1-1", "yesterday", "false"], /`startedAt`/],
    [["trace", "run_1", "shd_a", "run_1-1", "1700000000000", "maybe"], /`resumed`/],
    [["trace", "run_1", "shd_a"], /`execution`/],
    [["trace", "run_1", "shd_a", ...rest, "more"], /argument 7/],
    [
      ["Ref::stage", "Ref::runId", "Ref::target", "Ref::execution", "Ref::startedAt", "Ref::resumed"],
      /`stage`/,
    ],
    [[], /`stage`/],
  ])("that are wrong are named: %j", (argv, named) => {
    expect(() => parseArguments(argv)).toThrow(named);
  });
});
