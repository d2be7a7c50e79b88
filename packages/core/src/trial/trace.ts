import { parseTrajectory, type Trajectory } from "../atif/trajectory.ts";
import { isTracemillError, TracemillError } from "../errors.ts";
import type { HarborTask } from "../harbor/task.ts";
import type { AgentContext, AgentResult, LoadedTask, ModelEndpoint } from "../ports/agent.ts";
import type { Sandbox } from "../ports/sandbox.ts";
import { redactionsOf } from "../redact/redactor.ts";
import type { ScanningRedactor } from "../redact/scanning-redactor.ts";
import type { Timings, Trace, Trial, Usage } from "../run/trial.ts";
import { readJson } from "../stored-json.ts";
import { attemptModels } from "./attempt-models.ts";
import { AttemptBudget } from "./budget.ts";
import { claimTrial, type TracingRow } from "./claim.ts";
import type { TrialDeps, TrialProgress } from "./deps.ts";
import { type Ending, endAttempt } from "./end.ts";
import { awaitHealthy, sandboxSpecOf } from "./environment.ts";
import { ExchangeLog } from "./exchange-log.ts";
import { isAnswered } from "./given-answer.ts";
import { busyWhenLost, newLease, underLease } from "./lease.ts";
import { outcomeOfError } from "./outcome-of-error.ts";
import { isStopping } from "./policy.ts";
import { type HeldRecord, trialLabel, writeOwnRecord } from "./record.ts";
import { noTime } from "./result.ts";
import { storeTrace, storeUnfinished } from "./store-trace.ts";
import { timerMs, underTimeLimit } from "./time-limit.ts";

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
  const budget = new AttemptBudget(deps.spec.limits, deps.budget, () => deps.clock.now());
  const { value, held } = await underLease(
    claimed,
    deps,
    (lost) => runAgent(trial, attempt, budget, deps, AbortSignal.any([deps.signal, lost])),
    () => withUsage(budget.used),
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
  budget: AttemptBudget,
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<Traced> {
  const timings = { ...noTime };
  const redactor = deps.redactor();
  await using exchanges = new ExchangeLog(deps.scratch, redactor);
  const store = { trial, attempt, exchanges, redactor, deps };
  const work: Work = { budget, redactor, exchanges, soFar: () => undefined };
  const common = () => ({ timings, ...redactionsOf(redactor) });
  let sandbox: Sandbox | undefined;
  try {
    const task = await deps.tasks.load(trial.task);
    // Before the sandbox is opened and the agent's time begins: a server may take minutes to start.
    const endpoint = await endpointOf(trial, deps, signal);
    sandbox = await timed(timings, "environmentMs", deps, () => openSandbox(trial, task, deps, signal));
    const place = { task, sandbox, endpoint };
    const result = await timed(timings, "agentMs", deps, () => callAgent(trial, place, work, deps, signal));
    signal.throwIfAborted();
    if (task.kind === "harbor" && sandbox !== undefined) await collectArtifacts(task.harbor, sandbox, signal);
    const stored = await storeTrace(store, result, place);
    const { usage = budget.used } = result;
    const agentEnd = redactor.json(result.end);
    const described = sandbox === undefined ? {} : { sandbox: sandbox.description };
    const ended = { agentEnd, ...answered(task, result.trajectory), ...withUsage(usage) };
    return { trace: { ...ended, ...described, ...stored, ...common() } };
  } catch (error) {
    const outcome = redactor.json(outcomeOfError(causeOfEnd(signal, error), "agent"));
    const objects = await storeUnfinished(store, work.soFar());
    return { outcome, ...withUsage(budget.used), details: { objects, ...common() } };
  } finally {
    await closeSandbox(sandbox);
  }
}

function withUsage(usage: Usage | undefined): { usage?: Usage } {
  return usage === undefined ? {} : { usage };
}

/** Judged before anything is taken out. */
function answered(task: LoadedTask, trajectory: Trajectory): Pick<Trace, "isAnswered"> {
  const verdict = task.kind === "scenario" ? isAnswered(task.scenario, trajectory) : undefined;
  return verdict === undefined ? {} : { isAnswered: verdict };
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
  const layers = await deps.agents(trial.agent.name).layers?.(trial.agent, signal);
  const sandbox = await deps.sandboxes.create({
    ...spec,
    ...(layers === undefined ? {} : { layers }),
    signal,
  });
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

/** Where an agent works. */
interface Place {
  task: LoadedTask;
  sandbox: Sandbox | undefined;
  endpoint: ModelEndpoint | undefined;
}

/** What an agent's work is held by, and what is kept of it. */
interface Work {
  budget: AttemptBudget;
  redactor: ScanningRedactor;
  exchanges: ExchangeLog;
  /** The trajectory so far, once the agent has said how to get it. */
  soFar(): Trajectory | undefined;
}

/** Runs the agent under its time limit. An agent that runs out of time has failed, and its work still counts. */
async function callAgent(
  trial: Trial,
  place: Place,
  work: Work,
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<AgentResult> {
  const { task, sandbox } = place;
  const limitMs = timeLimitOf(task, deps);
  const context = await contextOf(trial, place, work, deps);
  const limit = { limitMs, signal, force: () => closeSandbox(sandbox) };
  const { value, timedOut } = await underTimeLimit(limit, deps.clock, (stop) =>
    deps.agents(trial.agent.name).run({ ...context, signal: stop }),
  );
  if (!timedOut || limitMs === undefined) return value;
  const reason = `the agent's time ran out after ${limitMs / 1_000} s`;
  return { ...value, end: { kind: "agent-failed", failure: "timeout", reason } };
}

async function contextOf(
  trial: Trial,
  { task, sandbox, endpoint }: Place,
  work: Work,
  deps: TrialDeps,
): Promise<Omit<AgentContext, "signal">> {
  const { agent } = trial;
  const { budget, redactor, exchanges } = work;
  const reference = await readReference(trial, deps);
  const served =
    endpoint === undefined || agent.model === undefined ? {} : { served: { model: agent.model, endpoint } };
  const recorded = reference === undefined ? {} : { reference };
  const metering = { ...served, ...recorded, budget, clock: deps.clock, record: exchanges.record };
  return {
    agent,
    task,
    ...recorded,
    ...(reference === undefined ? {} : { solutionId: trial.reference?.solutionId ?? "" }),
    ...(sandbox === undefined ? {} : { sandbox }),
    models: attemptModels(deps.models, metering),
    budget,
    redactor,
    env: deps.spec.env,
    clock: deps.clock,
    record: exchanges.record,
    keepTrajectory: (soFar) => {
      work.soFar = () => validSoFar(soFar);
    },
  };
}

/** What an agent has of its trajectory, unless there is nothing to keep yet. */
function validSoFar(soFar: () => Trajectory): Trajectory | undefined {
  try {
    return parseTrajectory(soFar(), "the trajectory so far");
  } catch {
    return undefined;
  }
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
