import { expect, test } from "vitest";
import { fixtureTrial } from "../../../../../test/fakes/run-fixture.ts";
import type { Outcome } from "../../run/outcome.ts";
import type { AttemptResult } from "../../run/result.ts";
import { JobStats } from "./job-stats.ts";
import { trialResult } from "./trial-documents.ts";

function statsOf(outcomes: readonly Outcome[]) {
  const stats = new JobStats();
  for (const [index, outcome] of outcomes.entries()) {
    const result: AttemptResult = {
      schemaVersion: 1,
      runId: "run_1",
      attempt: 1,
      trial: { ...fixtureTrial("run_1", 1), trialId: `trl_${index}` },
      startedAt: "2026-01-01T00:00:00.000Z",
      endedAt: "2026-01-01T00:01:00.000Z",
      outcome,
      decidedBy: "tests",
      usage: { promptTokens: 10, completionTokens: 2, cachedTokens: 5 },
      timings: { environmentMs: 0, agentMs: 0, verifierMs: 0 },
      verifications: [],
      objects: {},
    };
    stats.add(trialResult(result, undefined, { jobId: "j", jobDir: "jobs/j", trialName: `t${index}` }));
  }
  return stats.toJson({ total: outcomes.length + 2, running: 1, retries: 3 });
}

const scored = (reward: number): Outcome => ({ kind: "scored", rewards: { reward } });
const key = "terminus__gpt-test__prod";

test("trials are counted, with their rewards and exceptions by name", () => {
  const late: Outcome = { kind: "agent-failed", failure: "timeout", reason: "late", rewards: { reward: 0 } };
  const stats = statsOf([scored(1), scored(0), late, { kind: "cancelled", reason: "stopped" }]);
  expect(stats).toMatchObject({
    n_completed_trials: 4,
    n_errored_trials: 2,
    n_cancelled_trials: 1,
    n_running_trials: 1,
    n_pending_trials: 1,
    n_retries: 3,
    n_input_tokens: 40,
    n_cache_tokens: 20,
    n_output_tokens: 8,
    cost_usd: null,
  });
  expect(stats.evals[key]).toEqual({
    n_trials: 3,
    n_errors: 2,
    metrics: [{ mean: 0.25 }],
    pass_at_k: { 2: 0.5, 4: 1 },
    reward_stats: { reward: { "0.0": ["t1", "t2"], "1.0": ["t0"] } },
    exception_stats: { AgentTimeoutError: ["t2"], CancelledError: ["t3"] },
  });
});

test("one reward between 0 and 1, or two of them in a trial, leave no pass@k", () => {
  expect(statsOf([scored(1), scored(0.5)]).evals[key]?.pass_at_k).toEqual({});
  const two: Outcome = { kind: "scored", rewards: { reward: 1, style: 0.5 } };
  expect(statsOf([two, scored(1)]).evals[key]).toMatchObject({
    pass_at_k: {},
    metrics: [{ reward: 1, style: 0.25 }],
  });
});
