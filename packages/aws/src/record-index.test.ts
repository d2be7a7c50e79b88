import { recordKeys } from "@tracemill/core/keys.ts";
import { expect, test } from "vitest";
import { recordIndex } from "./record-index.ts";

test("a run is found by its status, and by the day on which it came to an end", () => {
  const key = recordKeys.run("run_1");
  expect(recordIndex(key, { status: "running" })).toEqual({ gsi1pk: "runs#running", gsi1sk: "run_1" });
  expect(recordIndex(key, { status: "stopped", stoppedAt: "2026-11-21T23:59:59.000Z" })).toEqual({
    gsi1pk: "runs#stopped",
    gsi1sk: "run_1",
    gsi2pk: "runs#2026-11-21",
    gsi2sk: "2026-11-21T23:59:59.000Z",
  });
});

test("a stage is found by its run and status", () => {
  expect(recordIndex(recordKeys.stage("run_1", "plan"), { status: "running" })).toEqual({
    gsi1pk: "run#run_1#stage#running",
    gsi1sk: "stage#plan",
  });
});

test("trials, and rows without a status, cost no index entry", () => {
  const ended = { status: "ended", endedAt: "2026-11-21T00:00:00.000Z" };
  expect(recordIndex(recordKeys.trial("run_1", "t"), ended)).toEqual({});
  expect(recordIndex(recordKeys.shard("run_1", "s"), { tally: {} })).toEqual({});
  expect(recordIndex(recordKeys.cursor("prod"), "2026-11-21T00:00:00Z")).toEqual({});
  expect(recordIndex(recordKeys.run("run_1"), { status: 7, endedAt: "yesterday" })).toEqual({});
});
