import { TracemillError } from "../errors.ts";
import type { BudgetMeter } from "../ports/agent.ts";
import type { Limits } from "../run/spec.ts";
import type { Usage } from "../run/trial.ts";

const nothing: Usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  const cost =
    a.costUsd === undefined && b.costUsd === undefined ? undefined : (a.costUsd ?? 0) + (b.costUsd ?? 0);
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    ...(cost === undefined ? {} : { costUsd: cost }),
  };
}

/** What a whole run has used, with its caps. Shared by the attempts of one process. */
export class RunBudget {
  #used: Usage = nothing;
  readonly #limits: Limits["run"];
  readonly #deadline: number | undefined;

  /** @param startedAt milliseconds since the epoch; the run's time counts from there. */
  constructor(limits: Limits["run"], startedAt: number) {
    this.#limits = limits;
    this.#deadline = limits.time === undefined ? undefined : startedAt + limits.time;
  }

  get used(): Usage {
    return this.#used;
  }

  add(usage: Usage): void {
    this.#used = addUsage(this.#used, usage);
  }

  /** Which cap is reached, in words; `undefined` while there is room. */
  exceeded(now: number): string | undefined {
    const { tokens, costUsd } = this.#limits;
    if (this.#deadline !== undefined && now >= this.#deadline)
      return "the run's time (`limits.run.time`) is used up";
    return capReached(this.#used, { tokens, costUsd }, "limits.run.");
  }
}

/** Counts one attempt's usage against its own caps and the run's. */
export class AttemptBudget implements BudgetMeter {
  #used: Usage = nothing;
  readonly #limits: Limits;
  readonly #run: RunBudget;
  readonly #now: () => number;

  constructor(limits: Limits, run: RunBudget, now: () => number) {
    this.#limits = limits;
    this.#run = run;
    this.#now = now;
  }

  /** What the attempt has used; `undefined` while that is nothing. */
  get used(): Usage | undefined {
    return this.#used === nothing ? undefined : this.#used;
  }

  spend(usage: Usage): void {
    this.#used = addUsage(this.#used, usage);
    this.#run.add(usage);
    const reason = capReached(this.#used, this.#limits, "limits.") ?? this.#run.exceeded(this.#now());
    if (reason !== undefined) throw new TracemillError("budget-exceeded", reason);
  }
}

function capReached(
  used: Usage,
  caps: { tokens?: number | undefined; costUsd?: number | undefined },
  path: string,
): string | undefined {
  const tokens = used.promptTokens + used.completionTokens;
  if (caps.tokens !== undefined && tokens > caps.tokens) {
    return `${tokens} tokens used, ${caps.tokens} allowed (\`${path}tokens\`)`;
  }
  const cost = used.costUsd ?? 0;
  if (caps.costUsd !== undefined && cost > caps.costUsd) {
    return `${cost.toFixed(4)} USD used, ${caps.costUsd} allowed (\`${path}costUsd\`)`;
  }
  return undefined;
}
