import { createRedactor } from "../../redact/create.ts";
import { isReward, type Outcome, type Rewards } from "../../run/outcome.ts";
import type { AttemptResult, Verification } from "../../run/result.ts";
import type { AgentEnd, AgentRef, Usage } from "../../run/trial.ts";
import { addUsage } from "../../run/usage.ts";
import type { AgentConfig, AgentContext, TrialResultFile } from "./documents.ts";
import { outcomeOfException } from "./exceptions.ts";
import { lengthOf, utcTime } from "./times.ts";

/** What a trial's `result.json` says of its one attempt. */
export type ImportedAttempt = Pick<
  AttemptResult,
  "startedAt" | "endedAt" | "outcome" | "decidedBy" | "timings" | "agentEnd" | "usage" | "verifications"
>;

export interface VerifierOutput {
  stdout?: string | undefined;
  stderr?: string | undefined;
}

/** @param fallbackTime ISO time for a trial that says nothing of its own. */
export function attemptOf(
  result: TrialResultFile,
  output: VerifierOutput,
  fallbackTime: string,
): ImportedAttempt {
  const outcome = outcomeOf(result);
  const exceptionAt = utcTime(exceptionOf(result)?.occurred_at);
  const startedAt = utcTime(result.started_at) ?? exceptionAt ?? utcTime(result.finished_at) ?? fallbackTime;
  const endedAt = utcTime(result.finished_at) ?? exceptionAt ?? startedAt;
  const usage = usageOf(result);
  const agentEnd = agentEndOf(outcome);
  return {
    startedAt,
    endedAt,
    outcome,
    decidedBy: "rewards" in outcome && Object.keys(outcome.rewards).length > 0 ? deciderOf(result) : "none",
    timings: timingsOf(result),
    ...(agentEnd === undefined ? {} : { agentEnd }),
    ...(usage === undefined ? {} : { usage }),
    verifications: verificationsOf(result, outcome, output, { startedAt, endedAt }),
  };
}

function outcomeOf(result: TrialResultFile): Outcome {
  const rewards = rewardsOf(result);
  const exception = exceptionOf(result);
  if (exception !== undefined) {
    const { exception_type: type, exception_message: message } = exception;
    return outcomeOfException({ type, message }, rewards === "invalid" ? undefined : rewards);
  }
  if (rewards === "invalid")
    return {
      kind: "verifier-failed",
      reason: "`verifier_result` holds something else than finite numbers up to 1e100",
    };
  if (rewards !== undefined) return { kind: "scored", rewards };
  const isOff = result.config?.verifier?.disable === true || result.config?.install_only === true;
  const why = isOff
    ? "the job had verification switched off"
    : "`result.json` has neither a reward nor an exception";
  return { kind: "verifier-failed", reason: `no reward: ${why}` };
}

/** A multi-step trial goes on after a step's exception; the first of them stands for the trial. */
function exceptionOf({ exception_info, step_results }: TrialResultFile): TrialResultFile["exception_info"] {
  return exception_info ?? step_results?.find((step) => step.exception_info !== undefined)?.exception_info;
}

/** `undefined`: none were given. Harbor writes NaN and the infinities as null. */
function rewardsOf({ verifier_result: verdict }: TrialResultFile): Rewards | "invalid" | undefined {
  const given = verdict?.rewards ?? (verdict?.reward == null ? undefined : { reward: verdict.reward });
  const entries = Object.entries(given ?? {});
  if (entries.length === 0) return undefined;
  const rewards: Rewards = {};
  for (const [name, value] of entries) {
    if (!isReward(value)) return "invalid";
    rewards[name] = value;
  }
  return rewards;
}

/** Our own exports say what decided a reward; a claim stays a claim. Harbor's rewards are its tests'. */
function deciderOf(result: TrialResultFile): AttemptResult["decidedBy"] {
  const own = result.agent_result?.metadata?.tracemill;
  const decider = typeof own === "object" && own !== null && "decided_by" in own ? own.decided_by : undefined;
  return decider === "answer" || decider === "claim" ? decider : "tests";
}

/** `undefined` for outcomes that do not say how the agent ended. */
function agentEndOf(outcome: Outcome): AgentEnd | undefined {
  if (outcome.kind === "agent-failed") {
    const { kind, failure, reason } = outcome;
    return { kind, failure, reason };
  }
  return outcome.kind === "scored" ? { kind: "completed" } : undefined;
}

function usageOf({ agent_result, step_results }: TrialResultFile): Usage | undefined {
  const contexts =
    agent_result === undefined ? (step_results ?? []).map((step) => step.agent_result) : [agent_result];
  return contexts
    .map(usageOfContext)
    .filter((usage) => usage !== undefined)
    .reduce<Usage | undefined>((sum, usage) => (sum === undefined ? usage : addUsage(sum, usage)), undefined);
}

function usageOfContext(context: AgentContext): Usage | undefined {
  const {
    n_input_tokens: input,
    n_output_tokens: output,
    n_cache_tokens: cached,
    cost_usd: costUsd,
  } = context ?? {};
  if ([input, output, cached, costUsd].every((value) => value === undefined)) return undefined;
  return {
    promptTokens: input ?? 0,
    completionTokens: output ?? 0,
    cachedTokens: cached ?? 0,
    ...(costUsd === undefined ? {} : { costUsd }),
  };
}

function timingsOf(result: TrialResultFile): AttemptResult["timings"] {
  const { environment_setup, agent_setup, agent_execution, verifier, step_results: steps = [] } = result;
  const overSteps = (phase: "agent_execution" | "verifier") =>
    steps.reduce((sum, step) => sum + lengthOf(step[phase]), 0);
  return {
    environmentMs: lengthOf(environment_setup) + lengthOf(agent_setup),
    agentMs: lengthOf(agent_execution) || overSteps("agent_execution"),
    verifierMs: lengthOf(verifier) || overSteps("verifier"),
  };
}

function verificationsOf(
  { verifier }: TrialResultFile,
  outcome: Outcome,
  { stdout, stderr }: VerifierOutput,
  trial: { startedAt: string; endedAt: string },
): Verification[] {
  if (verifier === undefined && stdout === undefined && stderr === undefined) return [];
  const isGraded = "rewards" in outcome && Object.keys(outcome.rewards).length > 0;
  return [
    {
      startedAt: utcTime(verifier?.started_at) ?? trial.startedAt,
      endedAt: utcTime(verifier?.finished_at) ?? trial.endedAt,
      outcome: isGraded ? "scored" : outcome.kind,
      ...("reason" in outcome && !isGraded ? { reason: outcome.reason } : {}),
      ...(stdout === undefined ? {} : { stdout }),
      ...(stderr === undefined ? {} : { stderr }),
      notCarried: [],
    },
  ];
}

/** Who ran. */
export function agentOf({ agent_info, config }: TrialResultFile): AgentRef {
  const { name, model_info } = agent_info;
  const { model_name, kwargs } = config?.agent ?? {};
  const named =
    model_info && (model_info.provider ? `${model_info.provider}/${model_info.name}` : model_info.name);
  return agentRef(name, model_name ?? named, kwargs);
}

/** An agent of a job's config; `undefined` for one that is given by its module. */
export function agentRefOf(agent: AgentConfig): AgentRef | undefined {
  return agent?.name === undefined ? undefined : agentRef(agent.name, agent.model_name, agent.kwargs);
}

const secretName = /api_?key|secret|password|credential|(^|_)token$/i;

/** Options that are named like secrets are left out, and others are redacted: whoever has a run may not have its keys. */
function agentRef(name: string, model: string | undefined, kwargs: Record<string, unknown> = {}): AgentRef {
  const named = Object.entries(kwargs).filter(([key]) => !secretName.test(key));
  const options = createRedactor().json(Object.fromEntries(named));
  return {
    name,
    ...(model === undefined ? {} : { model }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
}
