import { objectKeys } from "../keys.ts";
import { isValid, rewardOf } from "../run/outcome.ts";
import type { AttemptResult } from "../run/result.ts";
import type { Row } from "./json-row.ts";

/** An ended trial as a row of the table of all trials. `reward` is null only where the outcome carries none. */
export function trialsRow(result: AttemptResult, attempts: number): Row {
  return { ...identity(result), attempts, ...verdict(result), ...cost(result), ...provenance(result) };
}

function identity({ runId, trial }: AttemptResult): Row {
  const { agent, task } = trial;
  return {
    trial_id: trial.trialId,
    run_id: runId,
    task: task.name,
    task_hash: task.hash,
    group: task.group,
    agent: agent.name,
    model: agent.model ?? null,
    agent_options: agent.options === undefined ? null : JSON.stringify(agent.options),
    solution_id: trial.reference?.solutionId ?? null,
    sample: trial.sample,
  };
}

function verdict({ outcome, decidedBy, claim }: AttemptResult): Row {
  return {
    outcome: outcome.kind,
    failure: outcome.kind === "agent-failed" ? outcome.failure : null,
    reason: outcome.kind === "scored" ? null : outcome.reason,
    reward: rewardOf(outcome) ?? null,
    rewards: isValid(outcome) ? JSON.stringify(outcome.rewards) : null,
    decided_by: decidedBy,
    claim: claim?.status ?? null,
    claim_holds: claim?.holds ?? null,
  };
}

function cost({ usage, timings, startedAt, endedAt, sandbox }: AttemptResult): Row {
  return {
    prompt_tokens: usage?.promptTokens ?? null,
    completion_tokens: usage?.completionTokens ?? null,
    cached_tokens: usage?.cachedTokens ?? null,
    cost_usd: usage?.costUsd ?? null,
    started_at: startedAt,
    ended_at: endedAt,
    environment_ms: timings.environmentMs,
    agent_ms: timings.agentMs,
    verifier_ms: timings.verifierMs,
    sandbox: sandbox?.sandbox ?? null,
  };
}

function provenance({ runId, trial, attempt, objects }: AttemptResult): Row {
  const { origin } = trial.task;
  const snapshot = origin.kind === "snapshot" ? origin : undefined;
  return {
    source: snapshot?.source ?? null,
    snapshot_id: snapshot?.snapshotId ?? null,
    source_task_id: snapshot?.taskId ?? null,
    result_key: objectKeys.attempt(runId, trial.trialId, attempt, "result.json"),
    trajectory_key: objects.trajectory ?? null,
    exchanges_key: objects.exchanges ?? null,
    artifacts_key: objects.artifacts ?? null,
  };
}
