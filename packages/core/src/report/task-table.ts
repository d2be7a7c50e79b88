import type { Trial } from "../run/trial.ts";

/** Sums over the trials of one agent on one task. */
export interface Cell {
  /** Trials with a reward. */
  n: number;
  sum: number;
  /** Trials with the reward 1. */
  passes: number;
}

/** Arrays of numbers by task: some 30 bytes a task and agent, where objects would take 100. */
class Column {
  readonly n: number[] = [];
  readonly sum: number[] = [];
  readonly passes: number[] = [];

  add(task: number, reward: number): void {
    while (this.n.length <= task) {
      this.n.push(0);
      this.sum.push(0);
      this.passes.push(0);
    }
    this.n[task] = (this.n[task] ?? 0) + 1;
    this.sum[task] = (this.sum[task] ?? 0) + reward;
    if (reward === 1) this.passes[task] = (this.passes[task] ?? 0) + 1;
  }

  at(task: number): Cell {
    return { n: this.n[task] ?? 0, sum: this.sum[task] ?? 0, passes: this.passes[task] ?? 0 };
  }
}

type Task = Trial["task"];

export interface TaskFacts {
  hash: string;
  name: string;
  group: string;
  source: string;
  trials: number;
  /** Ended trials without a reward. */
  failed: number;
  /** Of the attempts whose cost is known; absent where none is. */
  costUsd: number | undefined;
}

/** A sum of costs; what is not known is no part of it, and no zero. */
export function addedCost(sum: number | undefined, costUsd: number | undefined): number | undefined {
  return costUsd === undefined ? sum : (sum ?? 0) + costUsd;
}

/** Rewards by task and agent. Grows with the tasks of a run, not with its trials: some 300 bytes a task. */
export class TaskTable {
  readonly #indexes = new Map<string, number>();
  readonly #facts: TaskFacts[] = [];
  readonly #columns = new Map<string, Column>();
  readonly #words = new Map<string, string>();

  get size(): number {
    return this.#facts.length;
  }

  /** The facts of a trial's task, to be added to. */
  facts(task: Task): TaskFacts {
    const index = this.#indexes.get(task.hash);
    const known = index === undefined ? undefined : this.#facts[index];
    if (known !== undefined) return known;
    const facts: TaskFacts = {
      hash: task.hash,
      name: task.name,
      group: this.#once(task.group),
      source: this.#once(task.origin.kind === "snapshot" ? task.origin.source : "folders"),
      trials: 0,
      failed: 0,
      costUsd: undefined,
    };
    this.#indexes.set(task.hash, this.#facts.length);
    this.#facts.push(facts);
    return facts;
  }

  addReward(task: Task, agent: string, reward: number): void {
    this.facts(task);
    const column = this.#columns.get(agent) ?? new Column();
    this.#columns.set(agent, column);
    column.add(this.#indexes.get(task.hash) ?? 0, reward);
  }

  /** The cells of an agent, in the order of the tasks; an agent without rewards has only empty ones. */
  *cells(agent: string): Generator<Cell> {
    const column = this.#columns.get(agent);
    for (let task = 0; task < this.size; task += 1) yield column?.at(task) ?? { n: 0, sum: 0, passes: 0 };
  }

  *tasks(): Generator<{ facts: TaskFacts; cells: [agent: string, cell: Cell][] }> {
    for (const [task, facts] of this.#facts.entries()) {
      yield { facts, cells: [...this.#columns].map(([agent, column]) => [agent, column.at(task)]) };
    }
  }

  /** One string for all that are alike: a parsed line has its own copy of each. */
  #once(text: string): string {
    const known = this.#words.get(text) ?? text;
    this.#words.set(text, known);
    return known;
  }
}
