import { parseTrajectory, type Trajectory } from "../atif/trajectory.ts";
import { isTracemillError, TracemillError } from "../errors.ts";
import type { HarborTask } from "../harbor/task.ts";
import { objectKeys } from "../keys.ts";
import type { AgentResult, LoadedTask, ModelEndpoint } from "../ports/agent.ts";
import type { Exchange } from "../ports/model-client.ts";
import type { Sandbox } from "../ports/sandbox.ts";
import type { Timings, Trace, Trial } from "../run/trial.ts";
import { jsonLinesBody, readJson } from "../stored-json.ts";
import { AttemptBudget } from "./budget.ts";
import { claimTrial, type TracingRow } from "./claim.ts";
import type { TrialDeps, TrialProgress } from "./deps.ts";
import { type Ending, endAttempt } from "./end.ts";
import { awaitHealthy, sandboxSpecOf } from "./environment.ts";
import { busyWhenLost, newLease, underLease } from "./lease.ts";
import { outcomeOfError } from "./outcome-of-error.ts";
import { isStopping } from "./policy.ts";
import { type HeldRecord, trialLabel, writeOwnRecord } from "./record.ts";
import { noTime } from "./result.ts";
import { timerMs, underTimeLimit } from "./time-limit.ts";
import { storeWorkspace } from "./workspace.ts";

/** Folders of the verification alone; the agent's workspace never includes them. */
const verifierOnly = ["/tests", "/solution"] as const;

/**
 * The agent's part of a trial: claims its next attempt, runs the agent, stores what it left behind. Attempts
 * that fail for reasons other than the agent's are repeated as the policy allows.
 */
export async function traceTrial(trial: Trial, deps: TrialDeps): Promise<TrialProgress> {
  for (;;) {
    if (isStopping(deps)) return "skipped";
    const next = await busyWhenLost(() => claimAndTrace(trial, deps));
    if (next !== "again") return next;
  }
}

async function claimAndTrace(trial: Trial, deps: TrialDeps): Promise<TrialProgress | "again"> {
  const claimed = await claimTrial(trial, deps);
  if (claimed === "ended") deps.onEvent({ type: "trial-found-ended", trialId: trial.trialId });
  return typeof claimed === "string" ? claimed : traceAttempt(trial, claimed, deps);
}

async function traceAttempt(
  trial: Trial,
  claimed: HeldRecord<TracingRow>,
  deps: TrialDeps,
): Promise<TrialProgress | "again"> {
  const { attempt, attempts, startedAt, trialId } = claimed.row;
  deps.onEvent({
    type: "attempt-started",
    trialId,
    task: trial.task.name,
    agent: trial.agent.name,
    attempt,
  });
  const { value, held } = await underLease(claimed, deps, (lost) =>
    runAgent(trial, attempt, deps, AbortSignal.any([deps.signal, lost])),
  );
  if ("trace" in value) {
    const row = { schemaVersion: 1, trialId, status: "traced", attempts, attempt, startedAt } as const;
    await writeOwnRecord(
      deps.records,
      deps.runId,
      { ...row, trace: value.trace, lease: newLease(deps) },
      held,
    );
    const { usage } = value.trace;
    deps.onEvent({ type: "attempt-traced", trialId, ...(usage === undefined ? {} : { usage }) });
    return "traced";
  }
  const next = await endAttempt(trial, held, { ...value, decidedBy: "none" }, deps);
  return next === "later" ? "skipped" : next;
}

type Traced = { trace: Trace } | Pick<Ending, "outcome" | "usage" | "details">;

async function runAgent(
  trial: Trial,
  attempt: number,
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<Traced> {
  const timings = { ...noTime };
  const budget = new AttemptBudget(deps.spec.limits, deps.budget, () => deps.clock.now());
  const exchanges: Exchange[] = [];
  let sandbox: Sandbox | undefined;
  try {
    const task = await deps.tasks.load(trial.task);
    // Before the sandbox is opened and the agent's time begins: a server may take minutes to start.
    const endpoint = await endpointOf(trial, deps, signal);
    sandbox = await timed(timings, "environmentMs", deps, () => openSandbox(trial, task, deps, signal));
    const work = { task, sandbox, endpoint, budget, exchanges };
    const result = await timed(timings, "agentMs", deps, () => callAgent(trial, work, deps, signal));
    signal.throwIfAborted();
    if (task.kind === "harbor" && sandbox !== undefined) await collectArtifacts(task.harbor, sandbox, signal);
    const objects = await storeTrace(trial, attempt, result, exchanges, sandbox, deps);
    const { end: agentEnd, usage = budget.used } = result;
    const described = sandbox === undefined ? {} : { sandbox: sandbox.description };
    return { trace: { agentEnd, ...(usage === undefined ? {} : { usage }), timings, ...described, objects } };
  } catch (error) {
    const outcome = outcomeOfError(causeOfEnd(signal, error), "agent");
    const { used: usage } = budget;
    const objects = await storeExchanges(trial, attempt, exchanges, deps);
    return { outcome, ...(usage === undefined ? {} : { usage }), details: { timings, objects } };
  } finally {
    await closeSandbox(sandbox);
  }
}

/** Runs the commands with which a task gathers what its verifier will want (`[[verifier.collect]]`). */
async function collectArtifacts(task: HarborTask, sandbox: Sandbox, signal: AbortSignal): Promise<void> {
  for (const { command, timeout_sec: seconds } of task.config.verifier.collect) {
    await sandbox.exec(["/bin/bash", "-c", command], { timeoutMs: timerMs(seconds), signal });
  }
}

/** Whatever broke after the signal was given broke because of it: a lost lease, or a request to stop. */
export function causeOfEnd(signal: AbortSignal, error: unknown): unknown {
  if (!signal.aborted) return error;
  if (isTracemillError(signal.reason, "lease-lost")) return signal.reason;
  return new TracemillError("cancelled", "stopped on request", { cause: error });
}

async function openSandbox(
  trial: Trial,
  task: LoadedTask,
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<Sandbox | undefined> {
  if (!deps.agents(trial.agent.name).needsSandbox(trial.task)) return undefined;
  const spec = sandboxSpecOf(task, "agent", deps.spec, trialLabel(trial));
  const sandbox = await deps.sandboxes.create({ ...spec, signal });
  if (task.kind === "scenario") return sandbox;
  try {
    await awaitHealthy(task.harbor.config, sandbox, deps.clock, signal);
    return sandbox;
  } catch (error) {
    await closeSandbox(sandbox);
    throw error;
  }
}

async function endpointOf(
  { agent: { model } }: Trial,
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<ModelEndpoint | undefined> {
  return model === undefined ? undefined : deps.modelEndpoint?.(model, signal);
}

interface Work {
  task: LoadedTask;
  sandbox: Sandbox | undefined;
  endpoint: ModelEndpoint | undefined;
  budget: AttemptBudget;
  /** Grows while the agent runs. */
  exchanges: Exchange[];
}

/** Runs the agent under its time limit. An agent that runs out of time has failed, and its work still counts. */
async function callAgent(
  trial: Trial,
  { task, sandbox, endpoint, budget, exchanges }: Work,
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<AgentResult> {
  const limitMs = timeLimitOf(task, deps);
  const reference = await readReference(trial, deps);
  const context = {
    agent: trial.agent,
    task,
    ...(reference === undefined ? {} : { reference, solutionId: trial.reference?.solutionId ?? "" }),
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(endpoint === undefined ? {} : { modelEndpoint: endpoint }),
    budget,
    env: deps.spec.env,
    clock: deps.clock,
    record: (exchange: Exchange) => void exchanges.push(exchange),
  };
  const limit = { limitMs, signal, force: () => closeSandbox(sandbox) };
  const { value, timedOut } = await underTimeLimit(limit, deps.clock, (stop) =>
    deps.agents(trial.agent.name).run({ ...context, signal: stop }),
  );
  if (!timedOut || limitMs === undefined) return value;
  const reason = `the agent's time ran out after ${limitMs / 1_000} s`;
  return { ...value, end: { kind: "agent-failed", failure: "timeout", reason } };
}

function timeLimitOf(task: LoadedTask, deps: TrialDeps): number | undefined {
  const own = task.kind === "harbor" ? task.harbor.config.agent.timeout_sec : null;
  const limits = [own == null ? undefined : timerMs(own), deps.spec.limits.time].filter(
    (ms) => ms !== undefined,
  );
  return limits.length === 0 ? undefined : Math.min(...limits);
}

async function readReference(trial: Trial, deps: TrialDeps): Promise<Trajectory | undefined> {
  const key = trial.reference?.trajectoryKey;
  return key === undefined ? undefined : parseTrajectory(await readJson(deps.objects, key), key);
}

async function storeTrace(
  trial: Trial,
  attempt: number,
  result: AgentResult,
  exchanges: readonly Exchange[],
  sandbox: Sandbox | undefined,
  deps: TrialDeps,
): Promise<Trace["objects"]> {
  const { runId } = deps;
  const trajectory = objectKeys.attempt(runId, trial.trialId, attempt, "trajectory.json");
  const artifacts = objectKeys.attempt(runId, trial.trialId, attempt, "artifacts.tar.zst");
  const withReplay =
    result.replay === undefined
      ? result.trajectory
      : { ...result.trajectory, extra: { ...result.trajectory.extra, replay: result.replay } };
  await deps.objects.put(trajectory, Buffer.from(`${JSON.stringify(withReplay)}\n`));
  const stored = await storeExchanges(trial, attempt, exchanges, deps);
  const changed =
    sandbox !== undefined &&
    (await storeWorkspace(artifacts, sandbox.diff({ exclude: verifierOnly }), deps.objects));
  return { trajectory, ...stored, ...(changed ? { artifacts } : {}) };
}

/** Keeps what was said to and by models, of failed attempts too: it was paid for. */
async function storeExchanges(
  trial: Trial,
  attempt: number,
  exchanges: readonly Exchange[],
  { objects, runId }: TrialDeps,
): Promise<{ exchanges?: string }> {
  if (exchanges.length === 0) return {};
  const key = objectKeys.attempt(runId, trial.trialId, attempt, "exchanges.jsonl.zst");
  await objects.put(key, jsonLinesBody([...exchanges]));
  return { exchanges: key };
}

/**
 * Closes a sandbox. Failing to clean up is not the attempt's failure: what is left is removed when sandboxes are
 * next opened here.
 */
export async function closeSandbox(sandbox: Sandbox | undefined): Promise<void> {
  await sandbox?.close().catch(() => undefined);
}

async function timed<T>(
  timings: Timings,
  name: keyof Timings,
  deps: Pick<TrialDeps, "clock">,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = deps.clock.now();
  try {
    return await work();
  } finally {
    timings[name] += deps.clock.now() - startedAt;
  }
}
