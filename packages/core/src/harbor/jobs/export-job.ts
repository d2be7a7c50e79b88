import { pMapIterable } from "p-map";
import { TracemillError } from "../../errors.ts";
import { hashId, IdSet } from "../../ingest/id-set.ts";
import { objectKeys } from "../../keys.ts";
import { readPlan, readRunTasks } from "../../pipeline/plan-run.ts";
import { readStandings, type TrialStanding } from "../../pipeline/results.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import type { Scratch, ScratchFile } from "../../ports/scratch.ts";
import type { RunRecord } from "../../run/run.ts";
import { readRunSpec } from "../../run/runs.ts";
import type { RunSpec } from "../../run/spec.ts";
import { lines } from "../../streams.ts";
import { readResult } from "../../trial/result.ts";
import type { WritableJob } from "./folder.ts";
import { JobStats } from "./job-stats.ts";
import { agentConfig, json, taskConfig, trialLock, trialResult } from "./trial-documents.ts";
import { type ExportedTrial, readStandingTrajectory, trialFiles } from "./trial-files.ts";
import { trialName, uuidOf } from "./trial-name.ts";

/** Trials read and written at once. */
const atOnce = 8;

export interface ExportJobInput {
  run: RunRecord;
  /** The job's folder name. */
  jobName: string;
  /** The folder of jobs, as its config is to name it. */
  jobsDir: string;
}

export interface ExportJobDeps {
  objects: ObjectStore;
  records: RecordStore;
  scratch: Scratch;
  job: WritableJob;
  signal: AbortSignal;
  onProgress?: (done: number) => void;
}

export interface JobExport {
  jobId: string;
  /** Ended trials: all have a folder. */
  trials: number;
  /** Folders that this call wrote; the others were there, the same to the letter. */
  written: number;
  /** Trials of the plan that have not ended: they have no folder. */
  notEnded: number;
}

/** Harbor's id for the job that a run is written as. */
export function jobIdOf(runId: string): string {
  return uuidOf("job", runId);
}

/**
 * Writes a run as a Harbor job folder: a folder for each ended trial, holding the attempt that stands for it, then
 * the job's own files. Folders that are there already, the same to the letter, stay. The same run gives the same bytes.
 * Memory: the names of all trials, which Harbor's job result lists.
 * @throws TracemillError `not-found` (no plan), `storage-corrupt`, `invalid-trajectory`, `cancelled`, and what the
 * folder throws.
 */
export async function exportJob(input: ExportJobInput, deps: ExportJobDeps): Promise<JobExport> {
  const { runId } = input.run;
  const plan = await readPlan(runId, deps.objects);
  const spec = await readRunSpec(runId, deps.objects);
  await using locks = await deps.scratch.create();
  const stats = new JobStats();
  const counts: Counts = { written: 0, running: 0, retries: 0, lastEndedAt: input.run.createdAt };
  const trials = pMapIterable(namedTrials(input, counts, deps), (trial) => exportTrial(trial, runId, deps), {
    concurrency: atOnce,
  });
  for await (const { trial, document, written } of trials) {
    stats.add(document);
    await locks.write(`${JSON.stringify(trialLock(trial.result))}\n`);
    counts.written += written ? 1 : 0;
    counts.retries += trial.attempts.length - 1;
    if (trial.result.endedAt > counts.lastEndedAt) counts.lastEndedAt = trial.result.endedAt;
    deps.onProgress?.(stats.completed);
  }
  await writeJobFiles(input, { spec, stats, counts, total: plan.trials, locks }, deps);
  const notEnded = plan.trials - stats.completed;
  return { jobId: jobIdOf(runId), trials: stats.completed, written: counts.written, notEnded };
}

interface Counts {
  written: number;
  /** Trials that were begun and have not ended. */
  running: number;
  /** Attempts beyond the first. */
  retries: number;
  lastEndedAt: string;
}

type Unread = Omit<ExportedTrial, "result" | "trajectory"> & { attempt: number; trialId: string };

/** The ended trials in plan order, each with its name; the others are counted. */
async function* namedTrials(
  { run: { runId }, jobName, jobsDir }: ExportJobInput,
  counts: Counts,
  deps: ExportJobDeps,
): AsyncGenerator<Unread> {
  const names = new IdSet();
  for await (const standing of readStandings(runId, deps)) {
    throwIfCancelled(deps.signal);
    const last = lastAttempt(standing);
    if (last === undefined) {
      if (standing.record !== undefined && standing.record.status !== "waiting") counts.running += 1;
      continue;
    }
    const { trial, record } = standing;
    const named = {
      jobId: jobIdOf(runId),
      jobDir: `${jobsDir}/${jobName}`,
      trialName: freeName(standing, names),
    };
    yield { named, attempts: record?.attempts ?? [], attempt: last.attempt, trialId: trial.trialId };
  }
}

function lastAttempt({ record }: TrialStanding) {
  return record?.status === "ended" ? record.attempts.at(-1) : undefined;
}

function freeName({ trial }: TrialStanding, names: IdSet): string {
  const name = trialName(trial.task.name, trial.trialId);
  return names.add(hashId(name)) ? name : trialName(trial.task.name, trial.trialId, 14);
}

async function exportTrial({ trialId, attempt, ...rest }: Unread, runId: string, deps: ExportJobDeps) {
  const result = await readResult(objectKeys.attempt(runId, trialId, attempt, "result.json"), deps.objects);
  const trajectory = await readStandingTrajectory(result, deps.objects);
  const trial: ExportedTrial = { ...rest, result, trajectory };
  const document = trialResult(result, trajectory, rest.named);
  const { trialName: name } = rest.named;
  const isThere = (await deps.job.currentTrial(name)) === json(document);
  if (!isThere) await deps.job.writeTrial(name, trialFiles(trial, deps.objects));
  return { trial, document, written: !isThere };
}

interface JobParts {
  spec: RunSpec;
  stats: JobStats;
  counts: Counts;
  /** Trials of the plan. */
  total: number;
  /** The trials' locks, a line each. */
  locks: ScratchFile;
}

/** `result.json` comes last: a job folder without one is not whole. */
async function writeJobFiles(input: ExportJobInput, parts: JobParts, deps: ExportJobDeps): Promise<void> {
  const { run } = input;
  const { spec, stats, counts, total, locks } = parts;
  await deps.job.writeFile("config.json", jobConfig(input, spec, deps.objects));
  await deps.job.writeFile("lock.json", jobLock(run, spec, locks));
  const { running, retries, lastEndedAt } = counts;
  const result = {
    id: jobIdOf(run.runId),
    started_at: run.createdAt,
    updated_at: lastEndedAt,
    finished_at: run.status === "finished" ? run.finishedAt : null,
    n_total_trials: total,
    stats: stats.toJson({ total, running, retries }),
  };
  await deps.job.writeFile("result.json", json(result));
}

async function* jobConfig(
  { run, jobName, jobsDir }: ExportJobInput,
  spec: RunSpec,
  objects: ObjectStore,
): AsyncGenerator<string> {
  const config = {
    job_name: jobName,
    jobs_dir: jobsDir,
    n_attempts: spec.attempts,
    n_concurrent_trials: spec.concurrency,
    retry: { max_retries: spec.retry.max },
    agents: spec.agents.map(agentConfig),
  };
  const tasks = async function* () {
    for await (const task of readRunTasks(run.runId, objects)) yield JSON.stringify(taskConfig(task));
  };
  yield* withList(config, "tasks", tasks());
}

async function* jobLock(run: RunRecord, spec: RunSpec, locks: ScratchFile): AsyncGenerator<string> {
  const lock = {
    schema_version: 3,
    created_at: run.createdAt,
    harbor: {},
    n_concurrent_trials: spec.concurrency,
    retry: { max_retries: spec.retry.max },
  };
  yield* withList(lock, "trials", lines(locks.read()));
}

/** A JSON object whose last key is a list that is too long to be held. */
async function* withList(
  head: Record<string, unknown>,
  key: string,
  items: AsyncIterable<string>,
): AsyncGenerator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},${JSON.stringify(key)}:[`;
  let separator = "\n";
  for await (const item of items) {
    yield `${separator}${item}`;
    separator = ",\n";
  }
  yield "]}\n";
}

function throwIfCancelled(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new TracemillError("cancelled", "export stopped on request; the same command goes on with it", {
    cause: signal.reason,
  });
}
