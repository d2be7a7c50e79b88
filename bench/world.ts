import { join } from "node:path";
import { agentRegistry, builtInAgents } from "@tracemill/agents/registry.ts";
import { packTask } from "@tracemill/core/harbor/archive.ts";
import { readHarborTask } from "@tracemill/core/harbor/task.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { Agent } from "@tracemill/core/ports/agent.ts";
import type { SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import { createRedactor } from "@tracemill/core/redact/create.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { harborTaskRef } from "@tracemill/core/run/task-ref.ts";
import type { Trial } from "@tracemill/core/run/trial.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import type { TrialDeps } from "@tracemill/core/trial/deps.ts";
import { evaluateTrial } from "@tracemill/core/trial/evaluate.ts";
import { createTaskLoader } from "@tracemill/core/trial/load-task.ts";
import { traceTrial } from "@tracemill/core/trial/trace.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { tempScratch } from "@tracemill/local/scratch.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import pMap from "p-map";
import { noModels } from "../test/fakes/no-models.ts";

/** A one-line task: write a file, look whether it is there. */
const task = readHarborTask(
  [
    { path: "task.toml", text: 'schema_version = "1.4"\n[environment]\nnetwork_mode = "no-network"\n' },
    { path: "instruction.md", text: "Write hello to hello.txt\n" },
    { path: "solution/solve.sh", text: "#!/bin/bash\necho hello > hello.txt\n" },
    { path: "tests/test.sh", text: "#!/bin/bash\n[ -f hello.txt ] && echo 1 > /logs/verifier/reward.txt\n" },
  ].map(({ path, text }) => ({ path, content: Buffer.from(text), mode: 0o644 })),
  "hello",
);

export interface BenchWorld extends AsyncDisposable {
  deps: TrialDeps;
}

/** Real local stores below `dir`, with the sandboxes given. */
export async function openBenchWorld(dir: string, sandboxes: SandboxProvider): Promise<BenchWorld> {
  const objects = openObjectStore(join(dir, "objects"));
  const records = openRecordStore(join(dir, "records.sqlite"));
  await objects.putIfAbsent(objectKeys.task(task.hash), await packTask(task.files));
  const never = new AbortController().signal;
  const spec = parseRunSpec({ name: "bench", tasks: ["."], agents: [{ name: "nop" }] }, "bench");
  const deps: TrialDeps = {
    runId: "run_bench",
    spec,
    objects,
    records,
    sandboxes,
    agents: agentRegistry(builtInAgents().map(alwaysSandboxed)),
    models: noModels,
    redactor: () => createRedactor(spec.redact),
    scratch: tempScratch(join(dir, "tmp")),
    tasks: createTaskLoader(objects),
    budget: new RunBudget({}, 0),
    clock: systemClock,
    owner: processOwner(Date.now()),
    signal: never,
    draining: never,
    onEvent: () => {},
  };
  return { deps, [Symbol.asyncDispose]: async () => records.close() };
}

/** Even an agent that does nothing pays for its sandbox here, as a real one would. */
function alwaysSandboxed(agent: Agent): Agent {
  return { ...agent, needsSandbox: () => true };
}

/** Runs trials of the one-line task to their end; throws when one was not scored 1. */
export async function runTrials(
  deps: TrialDeps,
  agent: string,
  prefix: string,
  count: number,
  concurrency: number,
): Promise<void> {
  const origin = { kind: "folder", path: "hello" } as const;
  const { references: _, ...ref } = harborTaskRef(task, { hash: task.hash, origin, references: [] });
  function* all(): Generator<Trial> {
    for (let index = 0; index < count; index += 1) {
      yield { trialId: `trl_${prefix}${index}`, task: ref, agent: { name: agent }, sample: 0 };
    }
  }
  const watched: TrialDeps = {
    ...deps,
    onEvent: (event) => {
      if (event.type !== "attempt-ended" || event.outcome.kind === "scored") return;
      throw new Error(`${event.trialId}: ${event.outcome.kind}: ${event.outcome.reason}`);
    },
  };
  await pMap(
    all(),
    async (trial) => {
      await traceTrial(trial, watched);
      await evaluateTrial(trial, watched);
    },
    { concurrency },
  );
}
