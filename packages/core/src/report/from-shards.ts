import type { RunSummary } from "../pipeline/results.ts";
import { meanEstimate } from "../pipeline/statistics.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { Plan } from "../run/plan.ts";
import { sumShards } from "../run/progress.ts";
import { readRunSpec } from "../run/runs.ts";
import type { AgentTally, Tally } from "../run/shard-record.ts";
import { addTallies, emptyTally } from "../run/tally.ts";
import type { AgentRef } from "../run/trial.ts";
import { agentLabels } from "./agent-labels.ts";
import type { AgentReport, RunReport } from "./schema.ts";

interface Stores {
  objects: ObjectStore;
  records: RecordStore;
}

interface ShardSums {
  tally: Tally;
  /** The agents of the run's spec, each with what its trials came to. */
  agents: { agent: AgentRef; label: string; sums: AgentTally }[];
}

async function readSums(runId: string, { objects, records }: Stores): Promise<ShardSums> {
  const [spec, { tally }] = await Promise.all([readRunSpec(runId, objects), sumShards(runId, records)]);
  const labelOf = agentLabels(spec.agents);
  const agents = spec.agents.map((agent) => {
    const label = labelOf(agent);
    return { agent, label, sums: tally.agents?.[label] ?? noAgent };
  });
  return { tally, agents };
}

const noAgent: AgentTally = {
  ended: 0,
  outcomes: {},
  attempts: 0,
  usage: emptyTally().usage,
  rewards: { n: 0, sum: 0, sumOfSquares: 0, binary: true },
};

/** What a run's shards last said: counts, means and usage by agent, and nothing by task. */
export async function reportOfShards(plan: Plan, stores: Stores): Promise<RunReport> {
  const { runId, tasks, trials, excluded } = plan;
  const { tally, agents } = await readSums(runId, stores);
  const none = { total: 0, rows: [] };
  return {
    schemaVersion: 1,
    runId,
    basis: "shards",
    tasks,
    trials,
    ended: tally.ended,
    excluded,
    agents: agents.map(agentReport),
    comparisons: [],
    byTask: none,
    byGroup: none,
    bySource: none,
    reasons: [],
  };
}

function agentReport({ agent: { name, model }, label, sums }: ShardSums["agents"][number]): AgentReport {
  const { rewards, ...counts } = sums;
  return {
    agent: label,
    name,
    ...(model === undefined ? {} : { model }),
    ...counts,
    ...(rewards.n === 0 ? {} : { reward: { n: rewards.n, mean: rewards.sum / rewards.n } }),
    otherRewards: {},
    decidedBy: {},
    passAtK: [],
  };
}

/** The same as a summary: without claims, and with `trials` of an agent for those that have ended. */
export async function summaryOfShards(plan: Plan, stores: Stores): Promise<RunSummary> {
  const { runId, tasks, trials, excluded } = plan;
  const { tally, agents } = await readSums(runId, stores);
  const { promptTokens, completionTokens, costUsd = 0 } = tally.usage;
  return {
    schemaVersion: 1,
    runId,
    tasks,
    trials,
    ended: tally.ended,
    excluded,
    outcomes: outcomesOf(agents),
    agents: Object.fromEntries(agents.map(({ label, sums }) => [label, agentSummary(sums)])),
    claims: { checked: 0, refuted: [], refutedCount: 0 },
    attempts: tally.attempts,
    costUsd,
    tokens: promptTokens + completionTokens,
  };
}

function agentSummary({ ended, rewards }: AgentTally): RunSummary["agents"][string] {
  const reward = meanEstimate(rewards);
  return { trials: ended, ...(reward === undefined ? {} : { reward }) };
}

/** Of ended trials: a shard's own counts are of attempts. */
function outcomesOf(agents: ShardSums["agents"]): RunSummary["outcomes"] {
  return agents.reduce(
    (sum, { sums: { outcomes } }) => addTallies(sum, { ...emptyTally(), outcomes }),
    emptyTally(),
  ).outcomes;
}
