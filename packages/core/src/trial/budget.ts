import { TracemillError } from "../errors.ts";
import { recordKeys } from "../keys.ts";
import type { BudgetMeter, ReachedCap } from "../ports/agent.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { Limits } from "../run/spec.ts";
import { TrialRecord, type Usage } from "../run/trial.ts";
import { addUsage, largerUsage, noUsage } from "../run/usage.ts";
import { parseAs } from "../validation.ts";

/**
 * What a whole run has used, with its caps. Shared by the attempts of one process. On one machine, processes that
 * work on a run at the same time do not see each other's share until they are resumed; jobs look at the run's sum.
 */
export class RunBudget {
  #used: Usage = noUsage;
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

  /** Adds what the run used before this process began to work on it, where a cap counts it. */
  async addEarlier(runId: string, records: Pick<RecordStore, "query">): Promise<void> {
    if (!this.isShared) return;
    const { pk, sk: prefix } = recordKeys.trial(runId, "");
    for await (const { sk, data } of records.query(pk, { prefix })) {
      const row = parseAs(TrialRecord, data, `record ${pk}/${sk}`, "storage-corrupt");
      for (const { usage } of row.attempts) if (usage !== undefined) this.add(usage);
      const underWay =
        row.status === "traced" ? row.trace.usage : row.status === "tracing" ? row.usage : undefined;
      if (underWay !== undefined) this.add(underWay);
    }
  }

  /** Whether a cap is set that other processes use up too. */
  get isShared(): boolean {
    return this.#limits.tokens !== undefined || this.#limits.costUsd !== undefined;
  }

  /**
   * Takes up what the whole run is known to have used, this process's part included. That sum may lag behind what is
   * counted here, so it never lowers it.
   */
  raiseTo(usage: Usage): void {
    this.#used = largerUsage(this.#used, usage);
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
  #used: Usage = noUsage;
  #turns = 0;
  #reached: ReachedCap | undefined;
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
    return this.#used === noUsage ? undefined : this.#used;
  }

  get reached(): ReachedCap | undefined {
    return this.#reached;
  }

  admit(): ReachedCap | undefined {
    this.#reached ??= this.#fullCap() ?? this.#turnCap();
    if (this.#reached === undefined) this.#turns += 1;
    return this.#reached;
  }

  spend(usage: Usage): void {
    this.#used = addUsage(this.#used, usage);
    this.#run.add(usage);
    const reason = capReached(this.#used, this.#limits, "limits.") ?? this.#run.exceeded(this.#now());
    if (reason === undefined) return;
    this.#reached ??= { kind: "budget", reason };
    throw new TracemillError("budget-exceeded", reason);
  }

  /** Used up to the last token is enough here: whatever is asked next would go beyond. */
  #fullCap(): ReachedCap | undefined {
    const reason = capReached(this.#used, this.#limits, "limits.", "full") ?? this.#run.exceeded(this.#now());
    return reason === undefined ? undefined : { kind: "budget", reason };
  }

  #turnCap(): ReachedCap | undefined {
    const { turns } = this.#limits;
    if (turns === undefined || this.#turns < turns) return undefined;
    return { kind: "turns", reason: `it had not come to an end after ${turns} turns (\`limits.turns\`)` };
  }
}

/** Whether a cap is gone beyond, or (`full`) used up so that nothing more can be asked. */
function capReached(
  used: Usage,
  caps: { tokens?: number | undefined; costUsd?: number | undefined },
  path: string,
  when: "beyond" | "full" = "beyond",
): string | undefined {
  const isReached = (amount: number, cap: number): boolean =>
    amount > cap || (when === "full" && amount === cap);
  const tokens = used.promptTokens + used.completionTokens;
  if (caps.tokens !== undefined && isReached(tokens, caps.tokens)) {
    return `${tokens} tokens used, ${caps.tokens} allowed (\`${path}tokens\`)`;
  }
  const cost = used.costUsd ?? 0;
  if (caps.costUsd !== undefined && isReached(cost, caps.costUsd)) {
    return `${cost.toFixed(4)} USD used, ${caps.costUsd} allowed (\`${path}costUsd\`)`;
  }
  return undefined;
}
