import type { TrialEvent } from "../trial/deps.ts";
import type { Outcome, OutcomeKind } from "./outcome.ts";
import { rewardOf } from "./outcome.ts";
import type { AgentTally, Tally } from "./shard-record.ts";
import type { TrialRecord, Usage } from "./trial.ts";
import { addUsage, noUsage } from "./usage.ts";

export function emptyTally(): Tally {
  return { ended: 0, traced: 0, attempts: 0, outcomes: {}, usage: noUsage };
}

export function addTallies(a: Tally, b: Tally): Tally {
  return {
    ended: a.ended + b.ended,
    traced: a.traced + b.traced,
    attempts: a.attempts + b.attempts,
    outcomes: addCounts(a.outcomes, b.outcomes),
    usage: addUsage(a.usage, b.usage),
    ...(a.agents === undefined && b.agents === undefined ? {} : { agents: addAgents(a.agents, b.agents) }),
  };
}

type Counts = Tally["outcomes"];

function addCounts(a: Counts, b: Counts): Counts {
  const sum = { ...a };
  for (const [kind, count] of Object.entries(b) as [OutcomeKind, number][])
    sum[kind] = (sum[kind] ?? 0) + count;
  return sum;
}

type Agents = Record<string, AgentTally>;

function addAgents(a: Agents = {}, b: Agents = {}): Agents {
  const sum = { ...a };
  for (const [agent, tally] of Object.entries(b)) sum[agent] = addAgent(sum[agent] ?? emptyAgent(), tally);
  return sum;
}

function emptyAgent(): AgentTally {
  const rewards = { n: 0, sum: 0, sumOfSquares: 0, binary: true };
  return { ended: 0, outcomes: {}, attempts: 0, usage: noUsage, rewards };
}

function addAgent(a: AgentTally, b: AgentTally): AgentTally {
  return {
    ended: a.ended + b.ended,
    outcomes: addCounts(a.outcomes, b.outcomes),
    attempts: a.attempts + b.attempts,
    usage: addUsage(a.usage, b.usage),
    rewards: {
      n: a.rewards.n + b.rewards.n,
      sum: a.rewards.sum + b.rewards.sum,
      sumOfSquares: a.rewards.sumOfSquares + b.rewards.sumOfSquares,
      binary: a.rewards.binary && b.rewards.binary,
    },
  };
}

type EndedRow = Extract<TrialRecord, { status: "ended" }>;

/** A trial of a shard, with its row if it has one. */
export interface MeteredTrial {
  trialId: string;
  /** As `agentLabels` calls it. */
  agent: string;
  row: TrialRecord | undefined;
}

/** What one trial has come to. */
interface Standing {
  agent: string;
  attempts: number;
  usage: Usage;
  /** Of the last attempt. */
  last: Outcome | undefined;
  isEnded: boolean;
  /** Its agent is done, with what it used, until the attempt ends and counts it. */
  traced: Usage | undefined;
}

/** Counts a shard while it is worked on: its trials' rows at first, then what happens to them. */
export class ShardMeter {
  readonly #trials = new Map<string, Standing>();
  /** Ended attempts by outcome. */
  readonly #outcomes: Counts = {};

  /** @param isToReopen whether an ended trial is to be begun again: it has something left to do. */
  constructor(trials: Iterable<MeteredTrial>, isToReopen: (row: EndedRow) => boolean = () => false) {
    for (const { trialId, agent, row } of trials) {
      const standing = {
        agent,
        attempts: 0,
        usage: noUsage,
        last: undefined,
        isEnded: false,
        traced: undefined,
      };
      this.#trials.set(trialId, standing);
      if (row !== undefined) this.#addRow(standing, row, isToReopen);
    }
  }

  #addRow(standing: Standing, row: TrialRecord, isToReopen: (row: EndedRow) => boolean): void {
    for (const { outcome, usage } of row.attempts) this.#addAttempt(standing, outcome, usage);
    standing.isEnded = row.status === "ended" && !isToReopen(row);
    if (row.status === "traced") standing.traced = row.trace.usage ?? noUsage;
  }

  #addAttempt(standing: Standing, outcome: Outcome, usage: Usage = noUsage): void {
    standing.attempts += 1;
    standing.usage = addUsage(standing.usage, usage);
    standing.last = outcome;
    this.#outcomes[outcome.kind] = (this.#outcomes[outcome.kind] ?? 0) + 1;
  }

  /** A trial that the shard does not have is passed over. */
  onEvent(event: TrialEvent): void {
    const standing = this.#trials.get(event.trialId);
    if (standing === undefined) return;
    if (event.type === "attempt-started") standing.isEnded = false;
    if (event.type === "attempt-traced") standing.traced = event.usage ?? noUsage;
    if (event.type === "trial-found-ended") standing.isEnded = true;
    if (event.type !== "attempt-ended") return;
    standing.traced = undefined;
    this.#addAttempt(standing, event.outcome, event.usage);
    if (event.final) standing.isEnded = true;
  }

  get tally(): Tally {
    const tally = { ...emptyTally(), outcomes: { ...this.#outcomes } };
    const agents: Agents = {};
    for (const standing of this.#trials.values()) {
      const { agent, attempts, usage, traced = noUsage, isEnded } = standing;
      tally.attempts += attempts;
      tally.usage = addUsage(tally.usage, addUsage(usage, traced));
      if (isEnded) tally.ended += 1;
      if (standing.traced !== undefined) tally.traced += 1;
      agents[agent] = addAgent(agents[agent] ?? emptyAgent(), agentTally(standing));
    }
    return { ...tally, agents };
  }
}

function agentTally({ attempts, usage, isEnded, last }: Standing): AgentTally {
  const tally = { ...emptyAgent(), attempts, usage };
  if (!isEnded || last === undefined) return tally;
  const reward = rewardOf(last);
  const rewards =
    reward === undefined
      ? tally.rewards
      : { n: 1, sum: reward, sumOfSquares: reward * reward, binary: reward === 0 || reward === 1 };
  return { ...tally, ended: 1, outcomes: { [last.kind]: 1 }, rewards };
}
