import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentRegistry, builtInAgents } from "@tracemill/agents/registry.ts";
import { packTask } from "@tracemill/core/harbor/archive.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { Agent } from "@tracemill/core/ports/agent.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import type { Trial } from "@tracemill/core/run/trial.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import type { TrialDeps } from "@tracemill/core/trial/deps.ts";
import { evaluateTrial } from "@tracemill/core/trial/evaluate.ts";
import { createTaskLoader } from "@tracemill/core/trial/load-task.ts";
import { traceTrial } from "@tracemill/core/trial/trace.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import pMap from "p-map";
import { execResult, inProcessSandboxes } from "../test/fakes/in-process-sandbox.ts";
import { answerTask, answerTrial } from "../test/fakes/trial-world.ts";
import { report, residentMiB } from "./report.ts";

const trials = 10_000;
const concurrency = 8;

/** The cost of a trial beside its agent and its sandbox: leases, records, objects, on the real local stores. */
export async function benchTrials(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  const records = openRecordStore(join(dir, "records.sqlite"));
  try {
    const deps = await benchDeps(dir, records);
    await runTrials(deps, "warm", 500);
    const startedAt = performance.now();
    await runTrials(deps, "a", trials / 5);
    const early = residentMiB();
    await runTrials(deps, "b", (trials * 4) / 5);
    const overheadMs = (performance.now() - startedAt) / trials;
    report(`overhead of a trial (${trials} no-op trials)`, overheadMs, "ms", { atMost: 2 });
    report("memory: growth from 2,000 to 10,000 trials", Math.max(0.01, residentMiB() - early), "MiB", {
      atMost: 32,
    });
  } finally {
    records.close();
    await rm(dir, { recursive: true });
  }
}

async function benchDeps(dir: string, records: TrialDeps["records"]): Promise<TrialDeps> {
  const objects = openObjectStore(join(dir, "objects"));
  await objects.putIfAbsent(objectKeys.task(answerTask.hash), await packTask(answerTask.files));
  const spec = parseRunSpec({ name: "bench", tasks: ["."], agents: [{ name: "nop" }] }, "bench");
  const never = new AbortController().signal;
  const [nop] = builtInAgents.filter(({ name }) => name === "nop");
  const sandboxed: Agent[] = nop === undefined ? [] : [{ ...nop, needsSandbox: () => true }];
  return {
    runId: "run_bench",
    spec,
    objects,
    records,
    sandboxes: inProcessSandboxes({
      exec: (_command, _options, files) => {
        const path = "/logs/verifier/reward.txt";
        files.set(path, { path, content: "1" });
        return execResult();
      },
    }),
    agents: agentRegistry(sandboxed),
    tasks: createTaskLoader(objects),
    budget: new RunBudget({}, 0),
    clock: systemClock,
    owner: processOwner(Date.now()),
    signal: never,
    draining: never,
    onEvent: () => {},
  };
}

async function runTrials(deps: TrialDeps, prefix: string, count: number): Promise<void> {
  function* all(): Generator<Trial> {
    for (let index = 0; index < count; index += 1) {
      yield { ...answerTrial(`trl_${prefix}${index}`), agent: { name: "nop" } };
    }
  }
  await pMap(
    all(),
    async (trial) => {
      await traceTrial(trial, deps);
      await evaluateTrial(trial, deps);
    },
    { concurrency },
  );
}
