import { pMapIterable } from "p-map";
import { TracemillError } from "../../errors.ts";
import { contentId } from "../../ids.ts";
import { objectKeys, recordKeys } from "../../keys.ts";
import { RunSummary, writeResults } from "../../pipeline/results.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import type { OutcomeKind } from "../../run/outcome.ts";
import { createRun, readRun, setRunState } from "../../run/runs.ts";
import type { AgentRef, Trial } from "../../run/trial.ts";
import { findStored } from "../../stored-json.ts";
import type { JobFolder, ReadTaskFiles, TrialFolder } from "./folder.ts";
import { agentOf } from "./imported-attempt.ts";
import { type GrowingPlan, growingPlan } from "./imported-plan.ts";
import { type AddedTrial, takeTrial } from "./imported-result.ts";
import { type ImportedTask, type TaskFate, taskFinder } from "./imported-task.ts";
import { type ReadTrial, readTrialFolder } from "./imported-trial.ts";
import { type JobHeader, readJobHeader, specOf } from "./job-header.ts";

/** Trial folders read, and trials stored, at once. */
const atOnce = 8;
/** Names that a report gives of each kind. */
const named = 20;

export interface ImportDeps {
  objects: ObjectStore;
  records: RecordStore;
  taskFiles: ReadTaskFiles;
  signal: AbortSignal;
  /** Trial folders looked at so far. */
  onProgress?: (done: number) => void;
}

/** What came of the import of one job. */
export interface JobImport {
  job: string;
  path: string;
  runId: string;
  /** Whether the job itself had finished. */
  finished: boolean;
  trials: {
    /** Stored by this import, or those that would be. */
    imported: number;
    /** In the run before. */
    known: number;
    /** Without a `result.json`: running, or killed. The next import takes them when they are whole. */
    unfinished: number;
    /** With a `result.json` that cannot be read. */
    broken: number;
  };
  /** Of the imported ones. */
  outcomes: Partial<Record<OutcomeKind, number>>;
  /** Imported trials by what became of their task. */
  tasks: Partial<Record<TaskFate, number>>;
  /** Imported trials with a trajectory. */
  trajectories: number;
  /** Files of imported trials that were not taken. */
  filesLeft: number;
  /** What could not be read or taken, and why; the first 20. */
  problems: { where: string; reason: string }[];
}

/**
 * Imports a Harbor job as a run of ours. The run's id is a content id of the job's, so that importing it again adds
 * the trials that are new and changes nothing else. Every object and row has a deterministic key: an import that was
 * killed is finished by the same call. Memory: some 100 bytes for each trial.
 * @param dryRun reads and counts, and writes nothing.
 * @throws TracemillError `storage-full`, `storage-failed`, `cancelled`; never for what is in a trial folder.
 */
export async function importJob(job: JobFolder, deps: ImportDeps, dryRun = false): Promise<JobImport> {
  const header = await readJobHeader(job);
  const plan = await growingPlan(header.runId, deps);
  const report = emptyReport(job, header);
  const agents = new Map<string, AgentRef>();
  const added = addedTrials({ job, header, plan, report, agents }, deps, dryRun);
  const stored = pMapIterable(added, (each) => takeTrial(each, dryRun ? undefined : deps), {
    concurrency: atOnce,
  });
  for await (const { trial, outcome, hasTrajectory, problems, filesLeft } of stored) {
    if (!dryRun) await plan.add(trial);
    report.trials.imported += 1;
    report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + 1;
    report.trajectories += hasTrajectory ? 1 : 0;
    report.filesLeft += filesLeft;
    for (const problem of problems) say(report, problem.where, problem.reason);
  }
  if (!dryRun) await finishRun({ job, header, plan, report, agents }, deps);
  return report;
}

interface Work {
  job: JobFolder;
  header: JobHeader;
  plan: GrowingPlan;
  report: JobImport;
  /** Of the trials so far, by their JSON. */
  agents: Map<string, AgentRef>;
}

async function* addedTrials(
  { job, header, plan, report, agents }: Work,
  deps: ImportDeps,
  dryRun: boolean,
): AsyncGenerator<AddedTrial> {
  const tasks = taskFinder({ taskFiles: deps.taskFiles, ...(dryRun ? {} : { objects: deps.objects }) });
  const folders = pMapIterable(
    job.trials(),
    async (folder) => ({
      folder,
      read: plan.has(trialIdOf(header, folder)) ? ("known" as const) : await readTrialFolder(folder),
    }),
    { concurrency: atOnce },
  );
  let done = 0;
  for await (const { folder, read } of folders) {
    throwIfCancelled(deps.signal);
    done += 1;
    deps.onProgress?.(done);
    if (read === "known" || read.status !== "read") {
      countUnread(report, folder.name, read);
      continue;
    }
    const found = await tasks.find(read.result, read.digest);
    report.tasks[found.fate] = (report.tasks[found.fate] ?? 0) + 1;
    const agent = agentOf(read.result);
    agents.set(JSON.stringify(agent), agent);
    const trial = trialOf(trialIdOf(header, folder), agent, found, plan);
    yield { runId: header.runId, trial, folder, read, fallbackTime: header.startedAt };
  }
}

function trialIdOf({ runId }: JobHeader, { name }: TrialFolder): string {
  return contentId("trl", [runId, name]);
}

function trialOf(trialId: string, agent: AgentRef, { task }: ImportedTask, plan: GrowingPlan): Trial {
  return { trialId, task, agent, sample: plan.nextSample(task.hash, agent) };
}

function countUnread(report: JobImport, name: string, read: "known" | ReadTrial): void {
  if (read === "known") report.trials.known += 1;
  else if (read.status === "unfinished") report.trials.unfinished += 1;
  else if (read.status === "broken") {
    report.trials.broken += 1;
    say(report, name, read.reason);
  }
}

/** Writes what makes the run visible; nothing when nothing is new. */
async function finishRun({ job, header, plan, report, agents }: Work, deps: ImportDeps): Promise<void> {
  const { runId, startedAt } = header;
  if (plan.trials === 0) return;
  await plan.finish();
  if ((await deps.records.get(recordKeys.run(runId))) === undefined) {
    const marker = { schemaVersion: 1, kind: "harbor", job: job.name, path: job.path };
    await deps.records.put(recordKeys.imported(runId), marker, "absent");
    const clock = { now: () => Date.parse(startedAt), sleep: () => Promise.resolve() };
    await createRun(specOf(job, header, [...agents.values()]), { ...deps, clock }, runId);
  }
  const summary = await findStored(deps.objects, objectKeys.runSummary(runId), RunSummary);
  if (summary?.trials !== plan.trials) await writeResults(runId, deps);
  await setState(header, report, deps);
}

/** A job that had not finished is a run that was stopped; importing it again goes on with it. */
async function setState(
  { runId, startedAt, finishedAt }: JobHeader,
  { trials }: JobImport,
  { records }: ImportDeps,
): Promise<void> {
  const run = await readRun(runId, records);
  if (run.status === "finished") return;
  if (finishedAt !== undefined) {
    await setRunState(runId, { status: "finished", finishedAt }, records);
    return;
  }
  const reason = `the Harbor job had not finished when it was imported (${trials.unfinished} trials without a result); import it again later`;
  if (run.status === "stopped" && run.reason === reason) return;
  await setRunState(runId, { status: "stopped", stoppedAt: startedAt, reason }, records);
}

function emptyReport(job: JobFolder, { runId, finishedAt, problems }: JobHeader): JobImport {
  return {
    job: job.name,
    path: job.path,
    runId,
    finished: finishedAt !== undefined,
    trials: { imported: 0, known: 0, unfinished: 0, broken: 0 },
    outcomes: {},
    tasks: {},
    trajectories: 0,
    filesLeft: 0,
    problems: problems.map((reason) => ({ where: job.name, reason })),
  };
}

function say(report: JobImport, where: string, reason: string): void {
  if (report.problems.length < named) report.problems.push({ where, reason });
}

/** Whether a run was imported from another system, which alone can go on with it. */
export async function isImported(runId: string, records: Pick<RecordStore, "get">): Promise<boolean> {
  return (await records.get(recordKeys.imported(runId))) !== undefined;
}

function throwIfCancelled(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new TracemillError("cancelled", "import stopped on request; the same command goes on with it", {
    cause: signal.reason,
  });
}
