import type { PipelineDeps, PipelineEvent } from "@tracemill/core/pipeline/deps.ts";
import { createRun } from "@tracemill/core/run/runs.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import { createTaskLoader } from "@tracemill/core/trial/load-task.ts";
import pLimit from "p-limit";
import { answerTask, trialWorld, type WorldOptions } from "./trial-world.ts";

const nothingLeavesHere = () => Promise.reject(new Error("tests make no requests"));

/** A run over one task, all in memory; `spec.attempts` says how many trials it has. */
export async function pipelineWorld(options: WorldOptions = {}) {
  const world = await trialWorld(options);
  const { objects, records, clock, spec } = world.deps;
  const { runId } = await createRun(spec, { objects, records, clock });

  /** Everything that another process would have of its own. */
  const process = (id: string, parts: Partial<PipelineDeps> = {}) => {
    const events: PipelineEvent[] = [];
    const stopping = new AbortController();
    const draining = new AbortController();
    const deps: PipelineDeps = {
      ...world.deps,
      runId,
      tasks: createTaskLoader(objects),
      budget: new RunBudget(spec.limits.run, clock.now()),
      owner: { id, isGone: () => false },
      random: () => 0.5,
      parquet: { encode: (jsonl) => jsonl },
      fetch: nothingLeavesHere,
      taskFolders: async function* () {
        yield { path: "answer", files: [...answerTask.files] };
      },
      limit: pLimit(spec.concurrency),
      signal: stopping.signal,
      draining: draining.signal,
      onEvent: (event) => events.push(event),
      ...parts,
    };
    return { deps, events, stopping, draining };
  };
  return { ...world, runId, records, objects, process };
}
