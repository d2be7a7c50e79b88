import { z } from "zod";
import { contentId } from "../ids.ts";
import type { AgentRegistry } from "../ports/agent.ts";
import type { RunSpec } from "./spec.ts";
import { AgentRef, TaskRef, type Trial } from "./trial.ts";

/** Trials in a shard: enough to pay an image pull once, few enough that a lost job loses little. */
export const shardSize = 64;

/** Trials that wait for their shard to fill; beyond it the shard that was opened first is closed early. */
const openTrials = 16_384;

export const Shard = z.strictObject({
  shardId: z.string(),
  /** Hash of the environment that its trials share. */
  environment: z.string(),
  /** The model that its trials share; absent for agents that need none. */
  model: z.string().optional(),
  trials: z.number().int().min(1),
});
export type Shard = z.infer<typeof Shard>;

/** `runs/<runId>/plan/shards.json`, written before any work starts. */
export const Plan = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  tasks: z.number().int(),
  trials: z.number().int(),
  /** Pairs of task and agent left out; each with its reason in `excluded.jsonl.zst`. */
  excluded: z.number().int(),
  /** How many pairs were left out for each reason. */
  excludedBy: z.record(z.string(), z.number().int()),
  shards: z.array(Shard),
});
export type Plan = z.infer<typeof Plan>;

/** A pair of task and agent that makes no trial. */
export const Excluded = z.strictObject({
  task: z.string(),
  taskHash: TaskRef.shape.hash,
  agent: AgentRef,
  reason: z.string(),
});
export type Excluded = z.infer<typeof Excluded>;

export type PlanEntry = { trials: Trial[] } | { excluded: Excluded };

/** What namespaces on the user's own machine cannot give. */
const refusals: Record<TaskRef["needs"][number], string> = {
  image: "wants a prebuilt image (`docker_image`); namespaces start from this machine's own system",
  gpu: "wants a GPU or TPU; namespaces have none",
  "network-allowlist": "wants a network allowlist; namespaces have all of the network or none",
  windows: "wants Windows",
  "multi-step": "has several steps; a run takes tasks of one step",
  "mcp-server": "wants MCP servers beside its sandbox",
  compose: "wants several containers (docker compose)",
  user: "wants to run as a user other than root; namespaces here have one user",
};

/** One task's trials under a spec: tasks × agents × recorded solutions × attempts. */
export function* planTask(
  task: TaskRef,
  runId: string,
  spec: RunSpec,
  agents: AgentRegistry,
): Generator<PlanEntry> {
  const { references: _, ...taskOfTrial } = task;
  for (const agent of spec.agents) {
    const leftOut = (reason: string): PlanEntry => ({
      excluded: { task: task.name, taskHash: task.hash, agent, reason },
    });
    const [need] = task.needs;
    const found = agents(agent.name);
    const wantsSandbox =
      found.needsSandbox(task) || (found.decidedBy === "task" && task.decidedBy === "tests");
    if (need !== undefined && wantsSandbox) {
      yield leftOut(refusals[need]);
      continue;
    }
    const variants = found.variants(task, agent);
    if ("excluded" in variants) {
      yield leftOut(variants.excluded);
      continue;
    }
    const trials = variants.references.flatMap((reference) =>
      Array.from({ length: spec.attempts }, (_unused, sample): Trial => {
        // A source may number the solutions of each task from 1: the id alone would not tell two rows' apart.
        const solution = reference === undefined ? null : [reference.solutionId, reference.trajectoryKey];
        const trialId = contentId("trl", [runId, task.hash, agent, solution, sample]);
        return {
          trialId,
          task: taskOfTrial,
          agent,
          sample,
          ...(reference === undefined ? {} : { reference }),
        };
      }),
    );
    yield { trials: [...new Map(trials.map((trial) => [trial.trialId, trial])).values()] };
  }
}

export interface FilledShard {
  shard: Shard;
  trials: Trial[];
}

/**
 * Collects trials into shards of one environment and one model. Memory is bounded: at most `openTrials`
 * trials wait.
 */
export class ShardFiller {
  readonly #open = new Map<string, Trial[]>();
  #waiting = 0;

  /** @returns the shards that this trial closed. */
  add(trial: Trial): FilledShard[] {
    const key = JSON.stringify([trial.task.environment, trial.agent.model ?? null]);
    const trials = this.#open.get(key) ?? [];
    trials.push(trial);
    this.#open.set(key, trials);
    this.#waiting += 1;
    if (trials.length >= shardSize) return [this.#close(key, trials)];
    if (this.#waiting <= openTrials) return [];
    const [oldest] = this.#open;
    return oldest === undefined ? [] : [this.#close(...oldest)];
  }

  /** The shards that are still open. */
  *finish(): Generator<FilledShard> {
    for (const [key, trials] of [...this.#open]) yield this.#close(key, trials);
  }

  #close(key: string, trials: Trial[]): FilledShard {
    this.#open.delete(key);
    this.#waiting -= trials.length;
    const [environment, model] = JSON.parse(key) as [string, string | null];
    const shardId = contentId("shd", [trials.map((trial) => trial.trialId)]);
    const shard = { shardId, environment, trials: trials.length, ...(model === null ? {} : { model }) };
    return { shard, trials };
  }
}
