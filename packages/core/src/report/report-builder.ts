import { rewardOf } from "../run/outcome.ts";
import type { Plan } from "../run/plan.ts";
import type { AgentRef, AttemptSummary, Trial, TrialRecord } from "../run/trial.ts";
import { addUsage, noUsage } from "../run/usage.ts";
import { reasonOf } from "../trial/result.ts";
import { agentLabels } from "./agent-labels.ts";
import { clusteredMean, comparePaired, passRates, solvedTasks } from "./estimates.ts";
import { ReasonCounter } from "./reason-counter.ts";
import { rowsBy, rowsByTask } from "./rows.ts";
import type { AgentReport, Comparison, RunReport } from "./schema.ts";
import { addedCost, TaskTable } from "./task-table.ts";
import { TimeSketch } from "./time-sketch.ts";

/** Reasons that a report keeps. */
const keptReasons = 50;

/** Names of rewards that are followed for an agent. */
const keptNames = 20;

/** What is counted of an agent until its report is made. */
interface AgentCount {
  report: Omit<AgentReport, "otherRewards"> & { trials: number };
  /** Whether every reward so far is 0 or 1. */
  binary: boolean;
  others: Map<string, { n: number; sum: number }>;
  times: TimeSketch;
}

/** Builds a run's report from its trials, one at a time. Memory grows with tasks and agents, not with trials. */
export class ReportBuilder {
  readonly #plan: Plan;
  readonly #labelOf: (agent: AgentRef) => string;
  readonly #agents = new Map<string, AgentCount>();
  readonly #table = new TaskTable();
  readonly #reasons = new ReasonCounter();
  #ended = 0;

  /** @param agents those of the run's spec. */
  constructor(plan: Plan, agents: readonly AgentRef[]) {
    this.#plan = plan;
    this.#labelOf = agentLabels(agents);
  }

  /** @param record the trial's row; absent while nobody has begun it. */
  add(trial: Trial, record: TrialRecord | undefined): void {
    const agent = this.#agentOf(trial.agent);
    const facts = this.#table.facts(trial.task);
    agent.report.trials += 1;
    facts.trials += 1;
    for (const attempt of record?.attempts ?? []) {
      this.#addAttempt(attempt, trial.trialId, agent);
      facts.costUsd = addedCost(facts.costUsd, attempt.usage?.costUsd);
    }
    const last = record?.status === "ended" ? record.attempts.at(-1) : undefined;
    if (last === undefined) return;
    this.#ended += 1;
    agent.report.ended += 1;
    increment(agent.report.outcomes, last.outcome.kind);
    const reward = rewardOf(last.outcome);
    if (reward === undefined) facts.failed += 1;
    else this.#addReward(trial, last, reward, agent);
  }

  finish(): RunReport {
    const { runId, tasks, trials, excluded } = this.#plan;
    const agents = [...this.#agents.values()].map((agent) => this.#finishAgent(agent));
    return {
      schemaVersion: 1,
      runId,
      basis: "trials",
      tasks,
      trials,
      ended: this.#ended,
      excluded,
      agents,
      comparisons: this.#comparisons(agents),
      byTask: rowsByTask(this.#table),
      byGroup: rowsBy("group", this.#table),
      bySource: rowsBy("source", this.#table),
      reasons: this.#reasons.top(keptReasons),
    };
  }

  #agentOf(ref: AgentRef): AgentCount {
    const label = this.#labelOf(ref);
    const known = this.#agents.get(label);
    if (known !== undefined) return known;
    const { name, model } = ref;
    const counts = { trials: 0, ended: 0, outcomes: {}, decidedBy: {}, passAtK: [], attempts: 0 };
    const report = {
      agent: label,
      name,
      ...(model === undefined ? {} : { model }),
      ...counts,
      usage: noUsage,
    };
    const agent = { report, binary: true, others: new Map(), times: new TimeSketch() };
    this.#agents.set(label, agent);
    return agent;
  }

  #addAttempt(attempt: AttemptSummary, trialId: string, { report, times }: AgentCount): void {
    report.attempts += 1;
    if (attempt.usage !== undefined) report.usage = addUsage(report.usage, attempt.usage);
    times.add(Date.parse(attempt.endedAt) - Date.parse(attempt.startedAt));
    const reason = reasonOf(attempt.outcome);
    if (reason !== undefined) this.#reasons.add(attempt.outcome.kind, reason, trialId);
  }

  #addReward(trial: Trial, { outcome, decidedBy }: AttemptSummary, reward: number, agent: AgentCount): void {
    agent.binary &&= reward === 0 || reward === 1;
    increment(agent.report.decidedBy, decidedBy);
    this.#table.addReward(trial.task, agent.report.agent, reward);
    const named = "rewards" in outcome ? Object.entries(outcome.rewards) : [];
    for (const [name, value] of named) if (name !== "reward") addNamed(agent.others, name, value);
  }

  #finishAgent({ report, binary, others, times }: AgentCount): AgentReport {
    const cells = () => this.#table.cells(report.agent);
    const reward = clusteredMean(cells());
    return {
      ...report,
      ...(reward === undefined ? {} : { reward }),
      otherRewards: Object.fromEntries(
        others.entries().map(([name, { n, sum }]) => [name, { n, mean: sum / n }]),
      ),
      ...(binary && reward !== undefined
        ? { passAtK: passRates(cells()), solved: solvedTasks(cells()) }
        : {}),
      ...(times.n === 0 ? {} : { times: timesOf(times) }),
    };
  }

  #comparisons(agents: readonly AgentReport[]): Comparison[] {
    const [best, ...others] = agents
      .filter(({ reward }) => reward !== undefined)
      .toSorted((a, b) => (b.reward?.mean ?? 0) - (a.reward?.mean ?? 0));
    if (best === undefined) return [];
    const cellsOf = (agent: string) => [agent, this.#table.cells(agent)] as [string, Iterable<never>];
    return others.flatMap(({ agent }) => comparePaired(cellsOf(best.agent), cellsOf(agent)) ?? []);
  }
}

function increment<K extends string>(counts: Partial<Record<K, number>>, kind: K): void {
  counts[kind] = (counts[kind] ?? 0) + 1;
}

function addNamed(others: AgentCount["others"], name: string, value: number): void {
  const held = others.get(name) ?? { n: 0, sum: 0 };
  if (held.n === 0 && others.size >= keptNames) return;
  others.set(name, { n: held.n + 1, sum: held.sum + value });
}

function timesOf(times: TimeSketch): NonNullable<AgentReport["times"]> {
  return {
    n: times.n,
    meanMs: times.mean,
    p50Ms: times.quantile(0.5),
    p90Ms: times.quantile(0.9),
    p99Ms: times.quantile(0.99),
    maxMs: times.max,
  };
}
