import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { packTask } from "@tracemill/core/harbor/archive.ts";
import { readHarborTask } from "@tracemill/core/harbor/task.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import type { Agent, AgentContext, AgentResult } from "@tracemill/core/ports/agent.ts";
import type { SandboxFile, SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import { createRedactor } from "@tracemill/core/redact/create.ts";
import type { AttemptResult } from "@tracemill/core/run/result.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { harborTaskRef } from "@tracemill/core/run/task-ref.ts";
import { type Trial, TrialRecord } from "@tracemill/core/run/trial.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import type { TrialDeps, TrialEvent } from "@tracemill/core/trial/deps.ts";
import { createTaskLoader } from "@tracemill/core/trial/load-task.ts";
import { readResult } from "@tracemill/core/trial/result.ts";
import { execResult, inProcessSandboxes } from "./in-process-sandbox.ts";
import { memoryObjectStore, memoryRecordStore, memoryScratch } from "./memory-stores.ts";
import { noModels } from "./no-models.ts";

const runId = "run_test";

/** A task whose tests look at what the agent wrote to `/app/answer.txt`. */
export const answerTask = readHarborTask(
  [
    { path: "task.toml", text: 'schema_version = "1.4"\n[task]\nname = "acme/answer"\n' },
    { path: "instruction.md", text: "Write 42 to answer.txt\n" },
    { path: "tests/test.sh", text: "#!/bin/bash\n" },
    { path: "solution/solve.sh", text: "#!/bin/bash\necho 42 > answer.txt\n" },
  ].map(({ path, text }) => ({ path, content: Buffer.from(text), mode: 0o644 })),
  "answer",
);

/** Plays the task's tests: what the reward file says for a sandbox's files; nothing leaves it unwritten. */
export type Verdict = (files: ReadonlyMap<string, SandboxFile>, round: number) => string | undefined;

/** The tests as they should be: 1 for the right answer. */
export const rightAnswer: Verdict = (files) => (textOf(files, "/app/answer.txt") === "42" ? "1\n" : "0\n");

export function textOf(files: ReadonlyMap<string, SandboxFile>, path: string): string | undefined {
  const content = files.get(path)?.content;
  return content === undefined ? undefined : Buffer.from(content).toString("utf8");
}

export type Behaviour = (context: AgentContext, call: number) => Promise<Partial<AgentResult> | undefined>;

export interface WorldOptions {
  agent?: Behaviour;
  verdict?: Verdict;
  spec?: Record<string, unknown>;
  sandboxes?: (plain: SandboxProvider) => SandboxProvider;
  owner?: TrialDeps["owner"];
  models?: TrialDeps["models"];
  now?: () => number;
}

/** Everything that a trial needs, in memory, with an agent and tests that the caller scripts. */
export async function trialWorld(options: WorldOptions = {}) {
  const objects = memoryObjectStore();
  const records = memoryRecordStore();
  const calls = { agent: 0, verifier: 0 };
  const events: TrialEvent[] = [];
  const spec = parseRunSpec(
    { name: "t", tasks: ["."], agents: [{ name: "scripted" }], ...options.spec },
    "spec",
  );
  const { verdict = rightAnswer, agent = writesAnswer("42") } = options;
  const plain = inProcessSandboxes({
    exec: (command, _options, files) => {
      if (!command.join(" ").includes("/tests/test.sh")) return execResult();
      calls.verifier += 1;
      const reward = verdict(files, calls.verifier);
      const path = "/logs/verifier/reward.txt";
      if (reward !== undefined) files.set(path, { path, content: reward });
      const stdout = "/logs/verifier/test-stdout.txt";
      files.set(stdout, { path: stdout, content: `verifier ${calls.verifier}` });
      return execResult();
    },
  });
  const scripted: Agent = {
    name: "scripted",
    version: "1",
    decidedBy: "task",
    needsSandbox: () => true,
    variants: () => ({ references: [undefined] }),
    run: async (context) => {
      calls.agent += 1;
      const parts = await agent(context, calls.agent);
      return { end: { kind: "completed" }, trajectory: minimalTrajectory, ...parts };
    },
  };
  await objects.put(objectKeys.task(answerTask.hash), await packTask(answerTask.files));
  const now = options.now ?? (() => Date.now());
  const draining = new AbortController();
  const stopping = new AbortController();
  const deps: TrialDeps = {
    runId,
    spec,
    objects,
    records,
    sandboxes: options.sandboxes?.(plain) ?? plain,
    agents: () => scripted,
    models: options.models ?? noModels,
    redactor: () => createRedactor(spec.redact),
    scratch: memoryScratch(),
    tasks: createTaskLoader(objects),
    budget: new RunBudget(spec.limits.run, now()),
    clock: { now, sleep: (ms, signal) => sleepUntil(ms, signal) },
    owner: options.owner ?? { id: "me", isGone: () => false },
    signal: stopping.signal,
    draining: draining.signal,
    onEvent: (event) => events.push(event),
  };
  return { deps, trial: answerTrial(), calls, events, draining, stopping, ...readers(deps) };
}

function readers({ objects, records }: TrialDeps) {
  return {
    row: async (trialId: string): Promise<TrialRecord | undefined> => {
      const stored = await records.get(recordKeys.trial(runId, trialId));
      return stored === undefined ? undefined : TrialRecord.parse(stored.data);
    },
    result: (trialId: string, attempt: number): Promise<AttemptResult> =>
      readResult(objectKeys.attempt(runId, trialId, attempt, "result.json"), objects),
  };
}

export function answerTrial(trialId = "trl_1"): Trial {
  const origin = { kind: "folder", path: "answer" } as const;
  const { references: _, ...task } = harborTaskRef(answerTask, {
    hash: answerTask.hash,
    origin,
    references: [],
  });
  return { trialId, task, agent: { name: "scripted" }, sample: 0 };
}

/** An agent that writes its answer where the task wants it. */
export function writesAnswer(text: string): Behaviour {
  return async ({ sandbox }) => {
    await sandbox?.writeFiles([{ path: "/app/answer.txt", content: text }]);
    return undefined;
  };
}

export const minimalTrajectory: Trajectory = {
  schema_version: "ATIF-v1.8",
  agent: { name: "scripted", version: "1" },
  steps: [
    { step_id: 1, source: "user", message: "Write 42" },
    { step_id: 2, source: "agent", message: "done" },
  ],
};

function sleepUntil(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
