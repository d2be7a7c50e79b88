import { pythonFloat } from "../../atif/python-json.ts";
import { eligibleK, passAtK } from "../../report/pass-at-k.ts";
import type { TrialResultDocument } from "./trial-documents.ts";

type Totals = "n_input_tokens" | "n_cache_tokens" | "n_output_tokens" | "cost_usd";

/**
 * The `stats` of a job's result, by Harbor's arithmetic (`JobStats.increment`, `compute_pass_at_k_by_evals` and the
 * metric `mean`), where a missing reward counts as 0 in `metrics` and `pass_at_k`. Memory: the names of all trials, as
 * the format lists them.
 */
export class JobStats {
  readonly #evals = new Map<string, EvalStats>();
  #completed = 0;
  #errored = 0;
  #cancelled = 0;
  readonly #totals: Record<Totals, number | null> = {
    n_input_tokens: null,
    n_cache_tokens: null,
    n_output_tokens: null,
    cost_usd: null,
  };

  get completed(): number {
    return this.#completed;
  }

  add(trial: TrialResultDocument): void {
    const key = evalsKey(trial);
    const stats = this.#evals.get(key) ?? new EvalStats();
    this.#evals.set(key, stats);
    stats.add(trial);
    this.#completed += 1;
    if (trial.exception_info !== null) this.#errored += 1;
    if (trial.exception_info?.exception_type === "CancelledError") this.#cancelled += 1;
    for (const name of Object.keys(this.#totals) as Totals[]) {
      const value = trial.agent_result[name];
      if (value !== null) this.#totals[name] = (this.#totals[name] ?? 0) + value;
    }
  }

  /** @param running trials that were begun and have not ended; @param retries attempts beyond the first. */
  toJson({ total, running, retries }: { total: number; running: number; retries: number }) {
    return {
      n_completed_trials: this.#completed,
      n_errored_trials: this.#errored,
      n_running_trials: running,
      n_pending_trials: Math.max(total - this.#completed - running, 0),
      n_cancelled_trials: this.#cancelled,
      n_retries: retries,
      evals: Object.fromEntries([...this.#evals].map(([key, stats]) => [key, stats.toJson()])),
      ...this.#totals,
    };
  }
}

/** How often the trials of one task succeeded. */
interface TaskSuccesses {
  trials: number;
  successes: number;
}

/**
 * Harbor's pass@k over tasks: for each k that every task has trials for, the mean over tasks of the chance that one of
 * k trials succeeds.
 */
function meanPassAtK(tasks: readonly TaskSuccesses[]): Record<string, number> {
  const fewest = tasks.reduce((least, { trials }) => Math.min(least, trials), Number.POSITIVE_INFINITY);
  const means = eligibleK(tasks.length === 0 ? 0 : fewest).map((k) => {
    const sum = tasks.reduce((total, { trials, successes }) => total + passAtK(trials, successes, k), 0);
    return [String(k), sum / tasks.length] as const;
  });
  return Object.fromEntries(means);
}

/** `<agent>__<model>__<dataset>`, without the model where there is none. */
function evalsKey({ agent_info: { name, model_info }, source }: TrialResultDocument): string {
  return [name, ...(model_info === null ? [] : [model_info.name]), source ?? "adhoc"].join("__");
}

/** The trials of one agent, model and dataset. */
class EvalStats {
  readonly #rewards = new Map<string, Map<number, string[]>>();
  readonly #exceptions = new Map<string, string[]>();
  readonly #tasks = new Map<string, TaskSuccesses>();
  #trials = 0;
  #graded = 0;
  #errors = 0;
  /** Whether every reward so far is the only one of its trial, and 0 or 1. */
  #binary = true;

  add({ trial_name: name, task_name, verifier_result, exception_info }: TrialResultDocument): void {
    const rewards = Object.entries(verifier_result?.rewards ?? {});
    this.#trials += 1;
    if (verifier_result !== null) this.#graded += 1;
    for (const [key, value] of rewards) {
      const byValue = entry(this.#rewards, key, () => new Map<number, string[]>());
      entry(byValue, value, () => []).push(name);
    }
    if (exception_info !== null) {
      this.#errors += 1;
      entry(this.#exceptions, exception_info.exception_type, () => []).push(name);
    }
    this.#count(task_name, rewards);
  }

  #count(task: string, rewards: readonly [string, number][]): void {
    const [[, value] = ["", 0], ...more] = rewards;
    this.#binary &&= more.length === 0 && (value === 0 || value === 1);
    const counts = entry(this.#tasks, task, () => ({ trials: 0, successes: 0 }));
    counts.trials += 1;
    counts.successes += value === 1 ? 1 : 0;
  }

  toJson() {
    return {
      n_trials: this.#graded,
      n_errors: this.#errors,
      metrics: [this.#means()],
      pass_at_k: this.#binary ? meanPassAtK([...this.#tasks.values()]) : {},
      reward_stats: Object.fromEntries([...this.#rewards].map(([key, byValue]) => [key, listed(byValue)])),
      exception_stats: Object.fromEntries(this.#exceptions),
    };
  }

  /** One `mean` for one kind of reward, else one by each name; a missing reward is 0. */
  #means(): Record<string, number> {
    const means = [...this.#rewards].map(([key, byValue]): [string, number] => {
      const sum = [...byValue].reduce((total, [value, names]) => total + value * names.length, 0);
      return [key, sum / this.#trials];
    });
    return means.length <= 1
      ? { mean: means[0]?.[1] ?? 0 }
      : Object.fromEntries(means.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** Reward values as Python writes the floats that are keys. */
function listed(byValue: ReadonlyMap<number, string[]>): Record<string, string[]> {
  const values = [...byValue].toSorted(([a], [b]) => a - b);
  return Object.fromEntries(values.map(([value, names]) => [pythonFloat(value), names]));
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
