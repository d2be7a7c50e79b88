import { pMapIterable } from "p-map";
import * as z from "zod";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { agentKey } from "../report/agent-labels.ts";
import { ReportBuilder } from "../report/report-builder.ts";
import type { RunReport } from "../report/schema.ts";
import { OutcomeKind, rewardOf } from "../run/outcome.ts";
import type { Plan, Shard } from "../run/plan.ts";
import { readRunSpec } from "../run/runs.ts";
import type { Trial, TrialRecord } from "../run/trial.ts";
import { checkClaim, reasonOf } from "../trial/result.ts";
import { readPlan, readShard } from "./plan-run.ts";
import { readRows } from "./shard-report.ts";
import { type Estimate, meanEstimate, RewardTally } from "./statistics.ts";
import { untilStopped } from "./until-stopped.ts";

const EstimateSchema = z.strictObject({
  /** Trials with a reward. */
  n: z.number().int(),
  mean: z.number(),
  /** 95 % confidence interval. */
  low: z.number(),
  high: z.number(),
}) satisfies z.ZodType<Estimate>;

/** `runs/<runId>/summary.json`. */
export const RunSummary = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  tasks: z.number().int(),
  trials: z.number().int(),
  /** Trials that have ended. */
  ended: z.number().int(),
  excluded: z.number().int(),
  outcomes: z.partialRecord(OutcomeKind, z.number().int()),
  /** By agent, `NAME` or `NAME/MODEL`. Absent rewards are not zeros: they are not in `reward`. */
  agents: z.record(
    z.string(),
    z.strictObject({ trials: z.number().int(), reward: EstimateSchema.optional() }),
  ),
  claims: z.strictObject({
    /** Claims of the source that a real run could be held against. */
    checked: z.number().int(),
    /** Those that did not hold, first 50. */
    refuted: z.array(
      z.strictObject({
        trialId: z.string(),
        task: z.string(),
        solutionId: z.string(),
        claimed: z.string(),
        reward: z.number(),
      }),
    ),
    refutedCount: z.number().int(),
  }),
  attempts: z.number().int(),
  costUsd: z.number(),
  tokens: z.number().int(),
});
export type RunSummary = z.infer<typeof RunSummary>;

type StoresOf = { objects: ObjectStore; records: RecordStore };

export interface TrialStanding {
  trial: Trial;
  /** `undefined`: nobody has begun it. */
  record: TrialRecord | undefined;
}

/** Shards read at once: hides the latency of a remote store, and bounds memory. */
const shardsAtOnce = 8;

/** Every trial of a run's plan with its row, in plan order. @param skip trials that are passed over unread. */
export async function* readStandings(
  runId: string,
  stores: StoresOf,
  skip = 0,
): AsyncGenerator<TrialStanding> {
  const { shards } = await readPlan(runId, stores.objects);
  for await (const standings of standingsOfShards(runId, shards, stores, skip)) yield* standings;
}

async function* standingsOfShards(
  runId: string,
  shards: readonly Shard[],
  stores: StoresOf,
  skip = 0,
): AsyncGenerator<TrialStanding[]> {
  let left = skip;
  let first = 0;
  for (; left >= (shards[first]?.trials ?? Number.POSITIVE_INFINITY); first += 1)
    left -= shards[first]?.trials ?? 0;
  const read = async (shard: Shard, index: number): Promise<TrialStanding[]> => {
    const trials = (await Array.fromAsync(readShard(runId, shard, stores.objects))).slice(
      index === 0 ? left : 0,
    );
    const rows = await readRows(trials, { runId, records: stores.records });
    return trials.map((trial, at) => ({ trial, record: rows[at] }));
  };
  yield* pMapIterable(shards.slice(first), read, { concurrency: shardsAtOnce });
}

/** Counts a run as it stands. Memory grows with the number of agents, not of trials. */
export async function summarize(runId: string, stores: StoresOf): Promise<RunSummary> {
  const counter = new SummaryCounter(await readPlan(runId, stores.objects));
  for await (const standing of readStandings(runId, stores)) counter.add(standing);
  return counter.finish();
}

class SummaryCounter {
  readonly #summary: RunSummary;
  readonly #tallies = new Map<string, RewardTally>();

  constructor({ runId, tasks, trials, excluded }: Plan) {
    this.#summary = {
      schemaVersion: 1,
      runId,
      tasks,
      trials,
      ended: 0,
      excluded,
      outcomes: {},
      agents: {},
      claims: { checked: 0, refuted: [], refutedCount: 0 },
      attempts: 0,
      costUsd: 0,
      tokens: 0,
    };
  }

  add(standing: TrialStanding): void {
    count(this.#summary, this.#tallies, standing);
  }

  finish(): RunSummary {
    for (const [agent, tally] of this.#tallies) {
      const entry = this.#summary.agents[agent];
      const reward = meanEstimate(tally);
      if (entry !== undefined && reward !== undefined) entry.reward = reward;
    }
    return this.#summary;
  }
}

function count(summary: RunSummary, tallies: Map<string, RewardTally>, standing: TrialStanding): void {
  const { trial, record } = standing;
  const agent = agentKey(trial.agent);
  const { trials = 0 } = summary.agents[agent] ?? {};
  summary.agents[agent] = { trials: trials + 1 };
  for (const { usage } of record?.attempts ?? []) {
    summary.attempts += 1;
    summary.costUsd += usage?.costUsd ?? 0;
    summary.tokens += (usage?.promptTokens ?? 0) + (usage?.completionTokens ?? 0);
  }
  const last = record?.status === "ended" ? record.attempts.at(-1) : undefined;
  if (last === undefined) return;
  summary.ended += 1;
  summary.outcomes[last.outcome.kind] = (summary.outcomes[last.outcome.kind] ?? 0) + 1;
  const reward = rewardOf(last.outcome);
  if (reward === undefined) return;
  const tally = tallies.get(agent) ?? new RewardTally();
  tallies.set(agent, tally);
  tally.add(reward);
  countClaim(summary, trial, last, reward);
}

function countClaim(
  summary: RunSummary,
  trial: Trial,
  last: Parameters<typeof checkClaim>[1],
  reward: number,
): void {
  const claim = checkClaim(trial.reference, last);
  if (claim === undefined) return;
  summary.claims.checked += 1;
  if (claim.holds) return;
  summary.claims.refutedCount += 1;
  if (summary.claims.refuted.length >= 50) return;
  const solutionId = trial.reference?.solutionId ?? "";
  summary.claims.refuted.push({
    trialId: trial.trialId,
    task: trial.task.name,
    solutionId,
    claimed: claim.status,
    reward,
  });
}

const header =
  "trial_id,task,agent,model,sample,solution,outcome,reward,attempts,decided_by,cost_usd,reason\n";

/** Writes the results table (`results.csv`, one row a trial), `summary.json` and `report.json`. */
export async function writeResults(
  runId: string,
  stores: StoresOf & { signal: AbortSignal },
): Promise<RunSummary> {
  const { objects, signal } = stores;
  const [plan, spec] = await Promise.all([readPlan(runId, objects), readRunSpec(runId, objects)]);
  const counter = new SummaryCounter(plan);
  const report = new ReportBuilder(plan, spec.agents);
  const table = async function* () {
    yield Buffer.from(header);
    for await (const standings of untilStopped(standingsOfShards(runId, plan.shards, stores), signal)) {
      for (const standing of standings) {
        counter.add(standing);
        report.add(standing.trial, standing.record);
      }
      yield Buffer.from(standings.map(csvRow).join(""));
    }
  };
  await objects.put(objectKeys.runResults(runId), table());
  const summary = counter.finish();
  await objects.put(objectKeys.runSummary(runId), jsonBody(summary));
  await objects.put(objectKeys.runReport(runId), jsonBody(report.finish()));
  return summary;
}

function jsonBody(value: RunSummary | RunReport): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

function csvRow({ trial, record }: TrialStanding): string {
  const last = record?.attempts.at(-1);
  const outcome = record?.status === "ended" ? last?.outcome : undefined;
  const reward = outcome === undefined ? undefined : rewardOf(outcome);
  const cells = [
    trial.trialId,
    trial.task.name,
    trial.agent.name,
    trial.agent.model ?? "",
    trial.sample,
    trial.reference?.solutionId ?? "",
    outcome?.kind ?? record?.status ?? "planned",
    reward ?? "",
    record?.attempts.length ?? 0,
    last?.decidedBy ?? "",
    last?.usage?.costUsd ?? "",
    (outcome === undefined ? undefined : reasonOf(outcome)) ?? "",
  ];
  return `${cells.map(csvCell).join(",")}\n`;
}

/** RFC 4180. A text that a spreadsheet would take for a formula is prefixed with an apostrophe. */
function csvCell(value: string | number): string {
  const text = typeof value === "string" && /^[=+@-]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
