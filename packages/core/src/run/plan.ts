import * as z from "zod";
import { contentId } from "../ids.ts";
import type { Agent, AgentRegistry } from "../ports/agent.ts";
import type { RunSpec } from "./spec.ts";
import { AgentRef, type TaskNeed, TaskRef, type Trial } from "./trial.ts";

/**
 * Trials in a shard: enough to pay an image pull once, few enough that a lost job loses little. With `job` each
 * trial has a container of its own, and a job holds at most ten: the worker's, and one spare for a retry.
 */
export const shardSizes: Record<RunSpec["sandbox"], number> = { docker: 64, namespace: 64, job: 8 };

/** Trials that wait for their shard to fill; beyond it the shard that was opened first is closed early. */
const openTrials = 16_384;

export const Shard = z.strictObject({
  shardId: z.string(),
  /** Hash of the environment that its trials share. */
  environment: z.string(),
  /** The model that its trials share; absent for agents that need none. */
  model: z.string().optional(),
  /** Which parts of its trials run commands in a sandbox; the others need no more than a plain container. */
  sandboxed: z.strictObject({ trace: z.boolean(), evaluate: z.boolean() }),
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

export type PlanEntry = { trials: Trial[]; sandboxed: Shard["sandboxed"] } | { excluded: Excluded };

/** What no sandbox can give. */
const never = {
  gpu: "wants a GPU or TPU of its own; sandboxes have none",
  windows: "wants Windows",
  "multi-step": "has several steps; a run takes tasks of one step",
  "mcp-server": "wants MCP servers beside its sandbox",
};

/** What neither namespaces nor a single container of a job can give. */
const neverAlone = {
  ...never,
  "network-allowlist":
    "wants a network allowlist, which `sandbox: docker` has; this one has all of the network or none",
  compose: "wants several containers (docker compose), which `sandbox: docker` has",
  user: "wants to run as a user other than root, which `sandbox: docker` has; this one has one user",
};

/** What a run's sandboxes cannot give a task, in words; the others they can. */
const refusals: Record<RunSpec["sandbox"], Partial<Record<TaskNeed, string>>> = {
  docker: never,
  namespace: {
    ...neverAlone,
    image:
      "wants a prebuilt image (`docker_image`), which `sandbox: docker` has; namespaces start from this machine's own system",
  },
  job: {
    ...neverAlone,
    "no-network": "wants no network; containers of `sandbox: job` share that of their job",
    "verifier-environment":
      "has an environment of its own for its verifier; a job's containers have one image",
  },
};

/** One task's trials under a spec: tasks × agents × recorded solutions × attempts. */
export function* planTask(
  task: TaskRef,
  runId: string,
  spec: RunSpec,
  agents: AgentRegistry,
): Generator<PlanEntry> {
  const { references: _, ...taskOfTrial } = task;
  const refused = task.needs
    .map((need) => refusals[spec.sandbox][need])
    .find((reason) => reason !== undefined);
  for (const agent of spec.agents) {
    const leftOut = (reason: string): PlanEntry => ({
      excluded: { task: task.name, taskHash: task.hash, agent, reason },
    });
    const found = agents(agent.name);
    const sandboxed = sandboxedParts(task, found);
    if (refused !== undefined && (sandboxed.trace || sandboxed.evaluate)) {
      yield leftOut(refused);
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
    yield { trials: [...new Map(trials.map((trial) => [trial.trialId, trial])).values()], sandboxed };
  }
}

function sandboxedParts(task: TaskRef, agent: Agent): Shard["sandboxed"] {
  return {
    trace: agent.needsSandbox(task),
    evaluate: agent.decidedBy === "task" && task.decidedBy === "tests",
  };
}

export interface FilledShard {
  shard: Shard;
  trials: Trial[];
}

/** What the trials of a shard share. */
type Common = Omit<Shard, "shardId" | "trials">;

/**
 * Collects trials into shards of one environment, one model and one kind of compute. Memory is bounded: at most
 * `openTrials` trials wait.
 */
export class ShardFiller {
  readonly #size: number;
  readonly #open = new Map<string, { common: Common; trials: Trial[] }>();
  #waiting = 0;

  /** @param size trials in a full shard. */
  constructor(size: number) {
    this.#size = size;
  }

  /** @returns the shards that this trial closed. */
  add(trial: Trial, sandboxed: Shard["sandboxed"]): FilledShard[] {
    const { environment } = trial.task;
    const { model } = trial.agent;
    const key = JSON.stringify([environment, model ?? null, sandboxed.trace, sandboxed.evaluate]);
    const open = this.#open.get(key) ?? {
      common: { environment, sandboxed, ...(model === undefined ? {} : { model }) },
      trials: [],
    };
    open.trials.push(trial);
    this.#open.set(key, open);
    this.#waiting += 1;
    if (open.trials.length >= this.#size) return [this.#close(key, open)];
    if (this.#waiting <= openTrials) return [];
    const [oldest] = this.#open;
    return oldest === undefined ? [] : [this.#close(...oldest)];
  }

  /** The shards that are still open. */
  *finish(): Generator<FilledShard> {
    for (const [key, open] of [...this.#open]) yield this.#close(key, open);
  }

  #close(key: string, { common, trials }: { common: Common; trials: Trial[] }): FilledShard {
    this.#open.delete(key);
    this.#waiting -= trials.length;
    const shardId = contentId("shd", [trials.map((trial) => trial.trialId)]);
    return { shard: { shardId, trials: trials.length, ...common }, trials };
  }
}
