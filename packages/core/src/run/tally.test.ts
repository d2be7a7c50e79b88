import { expect, test } from "vitest";
import type { TrialEvent } from "../trial/deps.ts";
import { addTallies, emptyTally, ShardMeter } from "./tally.ts";
import type { TrialRecord, Usage } from "./trial.ts";

const at = "2026-01-01T00:00:00.000Z";
const usage = (promptTokens: number, costUsd?: number): Usage => ({
  promptTokens,
  completionTokens: 1,
  cachedTokens: 0,
  ...(costUsd === undefined ? {} : { costUsd }),
});
const scored = { kind: "scored", rewards: { reward: 1 } } as const;
const failed = { kind: "model-failed", reason: "503" } as const;
const names = { task: "t", agent: "a", attempt: 1 };

/** A shard of one trial. */
const meterOf = (row?: TrialRecord) => new ShardMeter([{ trialId: "t1", agent: "a", row }]);

const ended = (trialId: string): TrialRecord => ({
  schemaVersion: 1,
  trialId,
  status: "ended",
  endedAt: at,
  attempts: [
    { attempt: 1, startedAt: at, endedAt: at, outcome: failed, decidedBy: "none", usage: usage(5, 0.5) },
    { attempt: 2, startedAt: at, endedAt: at, outcome: scored, decidedBy: "tests", usage: usage(10, 1) },
  ],
});

test("a shard's rows are counted with every attempt that was paid for", () => {
  expect(meterOf(ended("t1")).tally).toEqual({
    ended: 1,
    traced: 0,
    attempts: 2,
    outcomes: { "model-failed": 1, scored: 1 },
    usage: { promptTokens: 15, completionTokens: 2, cachedTokens: 0, costUsd: 1.5 },
    agents: {
      a: {
        ended: 1,
        attempts: 2,
        outcomes: { scored: 1 },
        usage: { promptTokens: 15, completionTokens: 2, cachedTokens: 0, costUsd: 1.5 },
        rewards: { n: 1, sum: 1, sumOfSquares: 1, binary: true },
      },
    },
  });
});

test("a failure is no reward, and a trial that goes on has none yet", () => {
  const meter = meterOf();
  const end = { type: "attempt-ended", trialId: "t1", ...names } as const;
  meter.onEvent({ ...end, outcome: failed, final: false });
  expect(meter.tally.agents?.a).toMatchObject({ ended: 0, outcomes: {}, rewards: { n: 0 } });
  meter.onEvent({ ...end, outcome: failed, final: true });
  expect(meter.tally.agents?.a).toMatchObject({
    ended: 1,
    outcomes: { "model-failed": 1 },
    rewards: { n: 0 },
  });
  meter.onEvent({ type: "attempt-started", trialId: "t1", ...names });
  meter.onEvent({ ...end, outcome: { kind: "scored", rewards: { reward: 0.5 } }, final: true });
  expect(meter.tally.agents?.a).toMatchObject({
    attempts: 3,
    outcomes: { scored: 1 },
    rewards: { n: 1, sum: 0.5, sumOfSquares: 0.25, binary: false },
  });
});

test("what an agent used counts once: while it waits for its verification, and after", () => {
  const meter = meterOf();
  meter.onEvent({ type: "attempt-started", trialId: "t1", ...names });
  meter.onEvent({ type: "attempt-traced", trialId: "t1", usage: usage(7) });
  expect(meter.tally).toMatchObject({ traced: 1, ended: 0, attempts: 0, usage: { promptTokens: 7 } });
  const end: TrialEvent = {
    type: "attempt-ended",
    trialId: "t1",
    ...names,
    outcome: scored,
    final: true,
    usage: usage(7),
  };
  meter.onEvent(end);
  expect(meter.tally).toMatchObject({ traced: 0, ended: 1, attempts: 1, usage: { promptTokens: 7 } });
});

test("a trial that is begun again is not ended any more", () => {
  const meter = meterOf(ended("t1"));
  meter.onEvent({ type: "attempt-started", trialId: "t1", ...names });
  expect(meter.tally).toMatchObject({ ended: 0, attempts: 2 });
});

test("tallies add up, with a cost where any has one", () => {
  const one = meterOf(ended("t1")).tally;
  expect(addTallies(emptyTally(), one)).toEqual(one);
  expect(addTallies(one, one)).toMatchObject({
    ended: 2,
    attempts: 4,
    usage: { costUsd: 3 },
    agents: { a: { ended: 2, rewards: { n: 2, sum: 2 } } },
  });
  expect(emptyTally().usage.costUsd).toBeUndefined();
});
