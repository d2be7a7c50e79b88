import type { TrialEvent } from "@tracemill/core/trial/deps.ts";
import { expect, test } from "vitest";
import { ShardLog, stepLog } from "./event-log.ts";
import { jsonLog } from "./log.ts";
import { Throughput } from "./throughput.ts";

function logged() {
  const lines: Record<string, unknown>[] = [];
  const clock = { ms: 0, now: () => clock.ms };
  const log = jsonLog((line) => lines.push(JSON.parse(line) as Record<string, unknown>), clock.now);
  return { lines, clock, log };
}

const usage = { promptTokens: 100, completionTokens: 50, cachedTokens: 0 };
const attempt = { trialId: "trl_1", task: "acme/answer", agent: "tools", attempt: 1 };
const scored: TrialEvent = {
  type: "attempt-ended",
  ...attempt,
  outcome: { kind: "scored", rewards: { reward: 1 } },
  final: true,
};

test("each attempt's start and end are a line, with its seconds and what it used", () => {
  const { lines, clock, log } = logged();
  const shard = new ShardLog({ log, clock });
  shard.onEvent({ type: "attempt-started", ...attempt });
  clock.ms = 2_500;
  shard.onEvent({ type: "attempt-traced", trialId: "trl_1", usage });
  shard.onEvent(scored);
  expect(lines).toMatchObject([
    { level: "info", message: "attempt-started", ...attempt },
    { message: "attempt-traced", trialId: "trl_1", usage, seconds: 2.5 },
    { message: "attempt-ended", ...attempt, outcome: { kind: "scored" }, final: true },
  ]);
});

test("progress counts what was done and says how fast the model is", () => {
  const { lines, clock, log } = logged();
  const shard = new ShardLog({ log, clock }, new Throughput(clock));
  shard.progress();
  shard.onEvent({ type: "trial-found-ended", trialId: "trl_0" });
  shard.onEvent({ type: "attempt-started", ...attempt });
  shard.onEvent({ type: "attempt-started", ...attempt, trialId: "trl_2" });
  clock.ms = 4_000;
  shard.onEvent({ type: "attempt-traced", trialId: "trl_1", usage });
  shard.progress();
  expect(lines[0]).not.toHaveProperty("tokensPerSecond");
  expect(lines.at(-1)).toMatchObject({
    message: "progress",
    traced: 1,
    ended: 0,
    foundEnded: 1,
    inFlight: 1,
    tokensPerSecond: 12.5,
  });
});

test("a step's progress is a line every 30 s at most", () => {
  const { lines, clock, log } = logged();
  const onEvent = stepLog({ log, clock });
  for (clock.ms = 60_000; clock.ms < 120_000; clock.ms += 1_000)
    onEvent({ type: "progress", stage: "ingest", done: clock.ms, unit: "rows" });
  expect(lines.map(({ done }) => done)).toEqual([60_000, 90_000]);
});
