import type { JobSummary } from "@tracemill/aws/control/jobs.ts";
import { jobNamePrefix } from "@tracemill/aws/pipeline/job-names.ts";
import { type StageName, stages } from "@tracemill/core/pipeline/stages.ts";
import { readShardRecord, readShardRecords } from "@tracemill/core/run/progress.ts";
import type { ShardRecord } from "@tracemill/core/run/shard-record.ts";
import type { CloudHome } from "../context.ts";
import { jobsOfRun } from "./run-jobs.ts";

/** Which part of a run's logs. */
export interface LogFilter {
  only?: StageName;
  shard?: string;
}

/** Streams of jobs, each with what to call it. */
export type JobStreams = Map<string, string>;

/** Log streams that are read together: CloudWatch's limit. */
export const shownStreams = 100;

const steps = new Set<string>(stages.filter(({ kind }) => kind === "step").map(({ name }) => name));

/** Whether functions may have something to say: they do steps, and no shards. */
export function concernsFunctions({ only, shard }: LogFilter): boolean {
  return shard === undefined && (only === undefined || steps.has(only));
}

/**
 * The log streams of a run's jobs, at most `shownStreams`: jobs that are at work first, then the newest. Jobs that Batch
 * has forgotten (after a week) are found by their shards' rows.
 */
export async function jobStreams(
  runId: string,
  filter: LogFilter,
  cloud: Pick<CloudHome, "jobs" | "stack" | "records">,
): Promise<{ streams: JobStreams; more: boolean }> {
  const { jobs, more } = await newestJobs(runId, filter, cloud);
  const streams: JobStreams = new Map();
  const names = new Map(jobs.map(({ jobId, jobName }) => [jobId, labelOf(runId, jobName)]));
  for await (const { jobId, logStream, attempts } of cloud.jobs.describe([...names.keys()])) {
    const label = names.get(jobId) ?? jobId;
    for (const stream of [logStream, ...attempts.map((attempt) => attempt.logStream)])
      if (stream !== undefined) streams.set(stream, label);
  }
  if (jobs.length === 0) await addStreamsOfRows(streams, runId, filter, cloud);
  const shown = [...streams].slice(0, shownStreams);
  return { streams: new Map(shown), more: more || streams.size > shown.length };
}

async function newestJobs(
  runId: string,
  filter: LogFilter,
  cloud: Pick<CloudHome, "jobs" | "stack">,
): Promise<{ jobs: JobSummary[]; more: boolean }> {
  const found = new Map<string, JobSummary>();
  for (const which of ["live", "all"] as const) {
    for await (const job of jobsOfRun(runId, cloud, which)) {
      if (!isWanted(runId, job.jobName, filter)) continue;
      if (found.size >= shownStreams && !found.has(job.jobId))
        return { jobs: [...found.values()], more: true };
      found.set(job.jobId, job);
    }
  }
  return { jobs: [...found.values()], more: false };
}

function isWanted(runId: string, jobName: string, { only, shard }: LogFilter): boolean {
  if (only !== undefined && !jobName.endsWith(`-${only}`)) return false;
  return shard === undefined || jobName.startsWith(jobNamePrefix(runId, shard));
}

/** What is not the same in the names of all jobs: `shd_…-trace`, `plan`. */
function labelOf(runId: string, jobName: string): string {
  return jobName.slice(jobNamePrefix(runId).length);
}

async function addStreamsOfRows(
  streams: JobStreams,
  runId: string,
  { only, shard }: LogFilter,
  { records }: Pick<CloudHome, "records">,
): Promise<void> {
  for await (const row of rowsOf(runId, shard, records)) {
    for (const { logStream, stage } of row.failures)
      if (logStream !== undefined && (only ?? stage) === stage)
        streams.set(logStream, `${row.shardId}-${stage}`);
    if (row.job?.logStream !== undefined && only === undefined) streams.set(row.job.logStream, row.shardId);
    if (streams.size > shownStreams) return;
  }
}

async function* rowsOf(
  runId: string,
  shard: string | undefined,
  records: CloudHome["records"],
): AsyncGenerator<ShardRecord> {
  if (shard === undefined) yield* readShardRecords(runId, records);
  else {
    const found = await readShardRecord(runId, shard, records);
    if (found !== undefined) yield found.row;
  }
}
