import { isTracemillError, TracemillError } from "../errors.ts";
import { parseRewards } from "../harbor/rewards.ts";
import type { HarborTask } from "../harbor/task.ts";
import type { Sandbox } from "../ports/sandbox.ts";
import type { Outcome, Rewards } from "../run/outcome.ts";
import type { Verification } from "../run/result.ts";
import type { Trace, Trial } from "../run/trial.ts";
import { unzstdStream } from "../streams.ts";
import { carriedIntoVerification } from "../workspace/carry.ts";
import type { TrialDeps } from "./deps.ts";
import { resolveEnv, sandboxSpecOf } from "./environment.ts";
import { outcomeOfError } from "./outcome-of-error.ts";
import { trialLabel } from "./record.ts";
import { timerMs } from "./time-limit.ts";
import { causeOfEnd, closeSandbox } from "./trace.ts";

export type Verdict = { verification: Verification } & ({ rewards: Rewards } | { failure: Outcome });

const logs = "/logs/verifier";
const outputs = { stdout: `${logs}/test-stdout.txt`, stderr: `${logs}/test-stderr.txt` };
const outputBytes = 64 * 1024;
const rewardBytes = 1024 * 1024;

/**
 * Runs the task's tests over the agent's workspace, in a fresh sandbox, by Harbor's contract: the exit code
 * says nothing, only the reward files that the tests themselves wrote count.
 */
export async function verify(
  trial: Trial,
  task: HarborTask,
  trace: Trace,
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<Verdict> {
  const startedAt = new Date(deps.clock.now()).toISOString();
  const seen: Partial<Verification> = {};
  let sandbox: Sandbox | undefined;
  let decided: { rewards: Rewards } | { failure: Extract<Outcome, { reason: string }> };
  try {
    const spec = sandboxSpecOf({ kind: "harbor", harbor: task }, "verifier", deps.spec, trialLabel(trial));
    sandbox = await deps.sandboxes.create({ ...spec, signal });
    seen.sandbox = sandbox.description;
    seen.notCarried = await carryWorkspace(trace, sandbox, deps);
    await sandbox.writeFiles(testFiles(task));
    decided = { rewards: await runTests(task, sandbox, seen, deps, signal) };
  } catch (error) {
    const failure = outcomeOfError(causeOfEnd(signal, error), "verifier");
    decided = { failure };
  } finally {
    // Read again: by now it knows which hosts were refused.
    if (sandbox !== undefined) seen.sandbox = sandbox.description;
    await closeSandbox(sandbox);
  }
  const verification: Verification = {
    startedAt,
    endedAt: new Date(deps.clock.now()).toISOString(),
    outcome: "failure" in decided ? decided.failure.kind : "scored",
    ...("failure" in decided ? { reason: decided.failure.reason } : {}),
    notCarried: [],
    ...seen,
  };
  return { verification, ...decided };
}

/** Lays the agent's workspace over the sandbox, without what could tamper with the verifier. */
async function carryWorkspace(
  trace: Trace,
  sandbox: Sandbox,
  deps: TrialDeps,
): Promise<Verification["notCarried"]> {
  const key = trace.objects.artifacts;
  if (key === undefined) return [];
  const stored = await deps.objects.get(key);
  if (stored === undefined) throw new TracemillError("not-found", `${key}: the agent's workspace is missing`);
  const carried = carriedIntoVerification(unzstdStream(stored), { baseHas: (path) => sandbox.baseHas(path) });
  await sandbox.applyWorkspace(carried.tar);
  return carried.notCarried;
}

function* testFiles(task: HarborTask) {
  for (const { path, content, mode } of task.files) {
    if (!path.startsWith("tests/")) continue;
    yield { path: `/${path}`, content, mode: path.endsWith(".sh") ? 0o755 : mode };
  }
  for (const path of Object.values(outputs)) yield { path, content: "" };
}

async function runTests(
  task: HarborTask,
  sandbox: Sandbox,
  seen: Partial<Verification>,
  deps: TrialDeps,
  signal: AbortSignal,
): Promise<Rewards> {
  const { timeout_sec: seconds, env } = task.config.verifier;
  await sandbox.remove([`${logs}/reward.txt`, `${logs}/reward.json`]);
  const command = `exec /tests/test.sh > ${outputs.stdout} 2> ${outputs.stderr}`;
  const { exitCode, timedOut } = await sandbox.exec(["/bin/bash", "-c", command], {
    env: resolveEnv(env, deps.spec.env, `${task.name}: [verifier.env]`),
    timeoutMs: timerMs(seconds),
    signal,
  });
  signal.throwIfAborted();
  seen.exitCode = exitCode;
  seen.stdout = await readOutput(sandbox, outputs.stdout);
  seen.stderr = await readOutput(sandbox, outputs.stderr);
  if (timedOut) throw new TracemillError("timeout", `the tests ran longer than ${seconds} s`);
  const json = await readReward(sandbox, "reward.json");
  const text = json === undefined ? await readReward(sandbox, "reward.txt") : undefined;
  return parseRewards({
    ...(json === undefined ? {} : { json }),
    ...(text === undefined ? {} : { text }),
  });
}

/** What the tests printed; of a large output its first and its last part. */
async function readOutput(sandbox: Sandbox, path: string): Promise<string> {
  try {
    const content = await sandbox.readFile(path, { maxBytes: outputBytes });
    return content === undefined ? "" : Buffer.from(content).toString("utf8");
  } catch (error) {
    if (!isTracemillError(error, "invalid-input")) throw error;
    const half = outputBytes / 2;
    const cut = `head -c ${half} "$0"; printf '\\n[…]\\n'; tail -c ${half} "$0"`;
    return (await sandbox.exec(["/bin/sh", "-c", cut, path])).stdout;
  }
}

async function readReward(sandbox: Sandbox, name: string): Promise<Uint8Array | undefined> {
  try {
    return await sandbox.readFile(`${logs}/${name}`, { maxBytes: rewardBytes });
  } catch (error) {
    if (!isTracemillError(error, "invalid-input")) throw error;
    throw new TracemillError("invalid-reward", `${logs}/${name}: ${error.message}`, { cause: error });
  }
}
