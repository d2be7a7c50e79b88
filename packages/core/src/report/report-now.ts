import { objectKeys } from "../keys.ts";
import { readPlan } from "../pipeline/plan-run.ts";
import { RunSummary, readStandings, summarize } from "../pipeline/results.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { Plan } from "../run/plan.ts";
import type { RunRecord } from "../run/run.ts";
import { readRunSpec } from "../run/runs.ts";
import { findStored } from "../stored-json.ts";
import { reportOfShards, summaryOfShards } from "./from-shards.ts";
import { ReportBuilder } from "./report-builder.ts";
import { RunReport } from "./schema.ts";

interface Stores {
  objects: ObjectStore;
  records: RecordStore;
}

interface ReportOptions {
  /** Reads every trial of an unfinished run, however many there are. */
  everyTrial?: boolean;
  /** Called now and then while trials are read. */
  onProgress?(trials: number, of: number): void;
}

/** Unfinished runs of up to this many trials are counted trial by trial: some 0.1 ms each on one machine. */
const countedTrials = 5_000;

const progressEvery = 10_000;

/**
 * What a run came to, or has come to so far. A finished run's report is read as it is stored, and stored when it is not
 * there yet; of an unfinished run its trials are counted, or with many trials what its shards last reported.
 * @throws TracemillError `not-found` when the run has no plan yet.
 */
export async function reportNow(
  run: RunRecord,
  stores: Stores,
  options: ReportOptions = {},
): Promise<RunReport> {
  const { runId, status } = run;
  if (status === "finished")
    return (await storedReport(runId, stores)) ?? (await makeReport(runId, stores, options));
  const plan = await readPlan(runId, stores.objects);
  const isShort = options.everyTrial === true || plan.trials <= countedTrials;
  return isShort ? countTrials(plan, stores, options) : reportOfShards(plan, stores);
}

async function storedReport(runId: string, { objects }: Stores): Promise<RunReport | undefined> {
  return findStored(objects, objectKeys.runReport(runId), RunReport);
}

/** For runs that ended before there were reports, and runs that came from elsewhere. */
async function makeReport(runId: string, stores: Stores, options: ReportOptions): Promise<RunReport> {
  const report = await countTrials(await readPlan(runId, stores.objects), stores, options);
  // Never over another one: the run may have been resumed meanwhile. Who may only read gets the report all the same.
  const body = Buffer.from(`${JSON.stringify(report)}\n`);
  await stores.objects.putIfAbsent(objectKeys.runReport(runId), body).catch(() => undefined);
  return report;
}

async function countTrials(plan: Plan, stores: Stores, { onProgress }: ReportOptions): Promise<RunReport> {
  const { agents } = await readRunSpec(plan.runId, stores.objects);
  const builder = new ReportBuilder(plan, agents);
  let done = 0;
  for await (const { trial, record } of readStandings(plan.runId, stores)) {
    builder.add(trial, record);
    done += 1;
    if (done % progressEvery === 0) onProgress?.(done, plan.trials);
  }
  return builder.finish();
}

/**
 * A run's summary, by the same rule. From shards it has no claims, and `trials` of an agent are those that ended.
 * @throws TracemillError `not-found` when the run has no plan yet.
 */
export async function summaryNow(
  { runId, status }: RunRecord,
  stores: Stores,
): Promise<{ summary: RunSummary; basis: RunReport["basis"] }> {
  const stored =
    status === "finished"
      ? await findStored(stores.objects, objectKeys.runSummary(runId), RunSummary)
      : undefined;
  if (stored !== undefined) return { summary: stored, basis: "trials" };
  const plan = await readPlan(runId, stores.objects);
  if (status === "finished" || plan.trials <= countedTrials)
    return { summary: await summarize(runId, stores), basis: "trials" };
  return { summary: await summaryOfShards(plan, stores), basis: "shards" };
}
