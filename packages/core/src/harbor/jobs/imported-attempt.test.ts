import { expect, test } from "vitest";
import { TrialResultFile } from "./documents.ts";
import { agentOf, attemptOf } from "./imported-attempt.ts";

const least = { task_name: "t", agent_info: { name: "codex", version: "1" } };
const fallback = "2026-01-01T00:00:00.000Z";

function attempt(document: object, output = {}) {
  return attemptOf(TrialResultFile.parse({ ...least, ...document }), output, fallback);
}

test("a graded trial is scored, with its times, tokens and what the verifier printed", () => {
  const read = attempt(
    {
      started_at: "2026-11-21T10:00:00.000001Z",
      finished_at: "2026-11-21T12:01:00+02:00",
      environment_setup: { started_at: "2026-11-21T10:00:00Z", finished_at: "2026-11-21T10:00:05Z" },
      agent_setup: { started_at: "2026-11-21T10:00:05Z", finished_at: "2026-11-21T10:00:06Z" },
      agent_execution: { started_at: "2026-11-21T10:00:06Z", finished_at: "2026-11-21T10:00:40Z" },
      verifier: { started_at: "2026-11-21T10:00:40Z", finished_at: "2026-11-21T10:00:59Z" },
      agent_result: { n_input_tokens: 100, n_cache_tokens: 60, n_output_tokens: 7, cost_usd: 0.5 },
      verifier_result: { rewards: { reward: 1, style: 0.25 } },
    },
    { stdout: "ok" },
  );
  expect(read).toMatchObject({
    startedAt: "2026-11-21T10:00:00.000Z",
    endedAt: "2026-11-21T10:01:00.000Z",
    outcome: { kind: "scored", rewards: { reward: 1, style: 0.25 } },
    decidedBy: "tests",
    timings: { environmentMs: 6_000, agentMs: 34_000, verifierMs: 19_000 },
    usage: { promptTokens: 100, cachedTokens: 60, completionTokens: 7, costUsd: 0.5 },
  });
  expect(read.verifications).toMatchObject([{ outcome: "scored", stdout: "ok" }]);
});

test("older files: one reward, times without a zone, nothing else", () => {
  const read = attempt({ verifier_result: { reward: 0.5 }, started_at: "2025-11-05T12:00:00.5" });
  expect(read.outcome).toEqual({ kind: "scored", rewards: { reward: 0.5 } });
  expect(read.startedAt).toBe("2025-11-05T12:00:00.500Z");
  expect(read.usage).toBeUndefined();
  expect(attempt({ verifier_result: { reward: 1 } }).startedAt).toBe(fallback);
});

test.each([
  ["no verdict at all", {}, "neither a reward nor an exception"],
  ["a verdict without rewards", { verifier_result: { rewards: {} } }, "neither a reward nor an exception"],
  ["a reward that was NaN", { verifier_result: { rewards: { reward: null } } }, "finite numbers"],
  [
    "a reward that no mean can be made of",
    { verifier_result: { rewards: { reward: 1e308 } } },
    "up to 1e100",
  ],
  ["a verifier that was switched off", { config: { verifier: { disable: true } } }, "switched off"],
])("%s is a verifier that failed, never a zero", (_, document, words) => {
  const { outcome, decidedBy } = attempt(document);
  expect(outcome).toEqual({ kind: "verifier-failed", reason: expect.stringContaining(words) });
  expect(decidedBy).toBe("none");
});

test("a task of several steps adds up its steps; the first exception of a step stands for the trial", () => {
  const step = (seconds: number, more = {}) => ({
    step_name: `s${seconds}`,
    agent_result: { n_input_tokens: seconds, n_output_tokens: 1 },
    agent_execution: { started_at: "2026-01-01T00:00:00Z", finished_at: `2026-01-01T00:00:0${seconds}Z` },
    ...more,
  });
  const exception_info = {
    exception_type: "AgentTimeoutError",
    exception_message: "late",
    exception_traceback: "",
    occurred_at: "2026-01-01T00:00:03Z",
  };
  const read = attempt({
    step_results: [step(2), step(3, { exception_info })],
    verifier_result: { rewards: { reward: 0.5 } },
  });
  expect(read.timings.agentMs).toBe(5_000);
  expect(read.usage).toMatchObject({ promptTokens: 5, completionTokens: 2 });
  expect(read.outcome).toMatchObject({ kind: "agent-failed", failure: "timeout", rewards: { reward: 0.5 } });
});

test("a reward that was a source's claim stays one", () => {
  const document = {
    verifier_result: { rewards: { reward: 1 } },
    agent_result: { metadata: { tracemill: { decided_by: "claim" } } },
  };
  expect(attempt(document).decidedBy).toBe("claim");
});

test("an agent has its model and options, but no option that is named like a secret", () => {
  const config = {
    agent: { model_name: "openai/gpt-5", kwargs: { api_key: "sk-1", max_tokens: 5, auth_token: "x" } },
  };
  const result = TrialResultFile.parse({ ...least, config });
  expect(agentOf(result)).toEqual({ name: "codex", model: "openai/gpt-5", options: { max_tokens: 5 } });
  const info = { name: "codex", model_info: { name: "gpt-5", provider: "openai" } };
  expect(agentOf(TrialResultFile.parse({ ...least, agent_info: info }))).toEqual({
    name: "codex",
    model: "openai/gpt-5",
  });
});
