/** What an estimate has to know of a plan: counts of shards and trials by sort, no trials. */
import type { AgentRegistry } from "../ports/agent.ts";
import { type JobKind, jobKindOf } from "../run/job-kind.ts";
import type { FilledShard, Plan } from "../run/plan.ts";
import type { RunSpec } from "../run/spec.ts";
import type { Trial } from "../run/trial.ts";
import type { TrialSort } from "./trial-work.ts";

/** How long an attempt's agent takes. */
export type Pace = "model" | "scripted" | "instant";

export interface SortCount extends TrialSort {
  pace: Pace;
  trials: number;
}

/** Shards whose jobs are of the same kinds. */
export interface ShardGroup {
  trace: JobKind;
  evaluate: JobKind;
  model?: string;
  shards: number;
  trials: number;
  /** Trials one after another, when each job runs `concurrency` of them at once. */
  waves: number;
  /** Distinct tasks of each shard, summed: a job reads each task's archive once. */
  archives: number;
  sorts: SortCount[];
}

export interface PlanShape {
  tasks: number;
  trials: number;
  shards: number;
  /** Environments that want an image of their own (`sandbox: job`). */
  images: number;
  groups: ShardGroup[];
}

/** Adds up a plan's shards as they fill. Memory grows with the sorts of trials, and for `sandbox: job` with environments. */
export class ShapeBuilder {
  readonly #spec: RunSpec;
  readonly #agents: AgentRegistry;
  readonly #groups = new Map<string, ShardGroup>();
  readonly #images = new Set<string>();

  constructor(spec: RunSpec, agents: AgentRegistry) {
    this.#spec = spec;
    this.#agents = agents;
  }

  /** @throws TracemillError `unsupported` for a shard that no job can take. */
  add({ shard, trials }: FilledShard): void {
    const trace = jobKindOf(shard, "trace", this.#spec);
    const evaluate = jobKindOf(shard, "evaluate", this.#spec);
    if (trace === "sandbox" || evaluate === "sandbox") this.#images.add(shard.environment);
    const key = JSON.stringify([trace, evaluate, shard.model ?? null]);
    const group = this.#groups.get(key) ?? emptyGroup(trace, evaluate, shard.model);
    this.#groups.set(key, group);
    group.shards += 1;
    group.trials += shard.trials;
    group.waves += Math.ceil(shard.trials / this.#spec.concurrency);
    group.archives += new Set(trials.map(({ task }) => task.hash)).size;
    for (const trial of trials) countSort(group, this.#sortOf(trial, shard.sandboxed));
  }

  finish({ tasks, trials, shards }: Pick<Plan, "tasks" | "trials" | "shards">): PlanShape {
    const groups = [...this.#groups.values()];
    return { tasks, trials, shards: shards.length, images: this.#images.size, groups };
  }

  #sortOf({ agent, task, reference }: Trial, sandboxed: TrialSort["sandboxed"]): Omit<SortCount, "trials"> {
    const isClaim = this.#agents(agent.name).decidedBy === "claim";
    const talks = agent.model !== undefined;
    return {
      sandboxed,
      decidedBy: isClaim ? "claim" : task.decidedBy,
      exchanges: talks,
      reference: reference !== undefined,
      pace: talks ? "model" : isClaim ? "instant" : "scripted",
    };
  }
}

function emptyGroup(trace: JobKind, evaluate: JobKind, model: string | undefined): ShardGroup {
  const counts = { shards: 0, trials: 0, waves: 0, archives: 0 };
  return { trace, evaluate, ...(model === undefined ? {} : { model }), ...counts, sorts: [] };
}

function countSort(group: ShardGroup, sort: Omit<SortCount, "trials">): void {
  const found = group.sorts.find(
    (each) =>
      each.decidedBy === sort.decidedBy &&
      each.exchanges === sort.exchanges &&
      each.reference === sort.reference &&
      each.pace === sort.pace &&
      each.sandboxed.trace === sort.sandboxed.trace &&
      each.sandboxed.evaluate === sort.sandboxed.evaluate,
  );
  if (found === undefined) group.sorts.push({ ...sort, trials: 1 });
  else found.trials += 1;
}
