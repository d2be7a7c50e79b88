import { pythonFloat } from "../../atif/python-json.ts";
import type { Trajectory } from "../../atif/trajectory.ts";
import { isValid } from "../../run/outcome.ts";
import type { AttemptResult } from "../../run/result.ts";
import type { AgentRef, Trial } from "../../run/trial.ts";
import { exceptionOfOutcome } from "./exceptions.ts";
import { phase } from "./times.ts";
import { uuidOf } from "./trial-name.ts";

/** What a trial of ours is called in a job folder of Harbor's. */
export interface NamedTrial {
  jobId: string;
  /** The job's folder as Harbor would name it, for `trials_dir`. */
  jobDir: string;
  trialName: string;
}

type Task = Trial["task"];

/**
 * How a job's config names a task: the folder that it came from; a snapshot's row has none, and is named like a
 * package, by source, task and content hash.
 */
export function taskConfig({ origin, hash }: Task) {
  if (origin.kind === "folder") return { path: origin.path };
  return { name: `${origin.source}/${origin.taskId}`, ref: `sha256:${hash}`, source: origin.source };
}

function taskId({ origin, hash }: Task) {
  if (origin.kind === "folder") return { path: origin.path };
  return { org: origin.source, name: origin.taskId, ref: `sha256:${hash}` };
}

export function agentConfig({ name, model, options }: AgentRef) {
  return { name, model_name: model ?? null, kwargs: options ?? {} };
}

/** `<trial>/config.json`. */
export function trialConfig({ task, agent }: Trial, { jobId, jobDir, trialName }: NamedTrial) {
  return {
    task: taskConfig(task),
    trial_name: trialName,
    trials_dir: jobDir,
    agent: agentConfig(agent),
    environment: {},
    verifier: {},
    job_id: jobId,
  };
}

/** `<trial>/lock.json`, and an entry of the job's. */
export function trialLock(result: AttemptResult) {
  const { task, agent } = result.trial;
  const { origin } = task;
  return {
    schema_version: 2,
    task: {
      name: task.name,
      type: origin.kind === "folder" ? "local" : "package",
      digest: `sha256:${task.hash}`,
      source: origin.kind === "folder" ? null : origin.source,
      path: origin.kind === "folder" ? origin.path : null,
    },
    agent: agentConfig(agent),
    environment: {},
    verifier: { environment_mode: verifierMode(result) },
  };
}

/** `provider/name` in two; only the name where there is no provider. */
export function modelInfo(model: string | undefined): { name: string; provider: string | null } | null {
  if (model === undefined) return null;
  const slash = model.indexOf("/");
  return slash <= 0
    ? { name: model, provider: null }
    : { name: model.slice(slash + 1), provider: model.slice(0, slash) };
}

/** `<trial>/result.json`. */
export function trialResult(result: AttemptResult, trajectory: Trajectory | undefined, named: NamedTrial) {
  const { trial, startedAt, endedAt, timings } = result;
  const { task, agent } = trial;
  const start = Date.parse(startedAt);
  const { environmentMs, agentMs, verifierMs } = timings;
  const exception = exceptionOfOutcome(result.outcome);
  const model = agent.model ?? trajectory?.agent.model_name ?? trial.reference?.model;
  return {
    id: trialUuid(result),
    task_name: task.name,
    trial_name: named.trialName,
    trial_uri: `tracemill:${result.runId}/${trial.trialId}/${result.attempt}`,
    task_id: taskId(task),
    source: sourceOf(task),
    task_checksum: task.hash,
    config: trialConfig(trial, named),
    agent_info: {
      name: agent.name,
      version: trajectory?.agent.version ?? "unknown",
      model_info: modelInfo(model),
    },
    agent_result: agentContext(result),
    verifier_result: rewardsOf(result) === undefined ? null : { rewards: rewardsOf(result) },
    verifier_environment_mode: verifierMode(result),
    exception_info:
      exception === undefined
        ? null
        : {
            exception_type: exception.type,
            exception_message: exception.message,
            exception_traceback: "",
            occurred_at: endedAt,
          },
    started_at: startedAt,
    finished_at: endedAt,
    environment_setup: phase(start, environmentMs),
    agent_setup: null,
    agent_execution: phase(start + environmentMs, agentMs),
    verifier: phase(start + environmentMs + agentMs, verifierMs),
    step_results: null,
  };
}
export type TrialResultDocument = ReturnType<typeof trialResult>;

/** Our verifiers have a sandbox of their own; of an imported trial's nothing is known. */
function verifierMode({ verifications }: AttemptResult): "separate" | null {
  return verifications.at(-1)?.sandbox === undefined ? null : "separate";
}

export function trialUuid({ runId, trial }: Pick<AttemptResult, "runId" | "trial">): string {
  return uuidOf("trial", runId, trial.trialId);
}

/** The dataset that a task belongs to, in Harbor's words; `null` for single folders. */
function sourceOf({ origin }: Task): string | null {
  return origin.kind === "snapshot" ? origin.source : null;
}

/** `undefined` where nothing was graded: an empty map would be a verdict. */
export function rewardsOf({ outcome }: Pick<AttemptResult, "outcome">): Record<string, number> | undefined {
  return isValid(outcome) && Object.keys(outcome.rewards).length > 0 ? outcome.rewards : undefined;
}

function agentContext({ usage, runId, trial, attempt, decidedBy }: AttemptResult) {
  return {
    n_input_tokens: usage?.promptTokens ?? null,
    n_cache_tokens: usage?.cachedTokens ?? null,
    n_output_tokens: usage?.completionTokens ?? null,
    cost_usd: usage?.costUsd ?? null,
    metadata: { tracemill: { run_id: runId, trial_id: trial.trialId, attempt, decided_by: decidedBy } },
  };
}

/** The verifier's own file for rewards: `reward.txt` for the one called `reward`, else `reward.json`. */
export function rewardFile(rewards: Record<string, number>): { path: string; body: string } {
  const [[name, value] = ["", 0], ...more] = Object.entries(rewards);
  return name === "reward" && more.length === 0
    ? { path: "verifier/reward.txt", body: `${pythonFloat(value)}\n` }
    : { path: "verifier/reward.json", body: json(rewards) };
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 4)}\n`;
}
