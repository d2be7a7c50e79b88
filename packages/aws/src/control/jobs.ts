import {
  type JobDetail as AwsJobDetail,
  type JobSummary as AwsJobSummary,
  type BatchClient,
  DescribeJobsCommand,
  type JobStatus,
  type ListJobsRequest,
  paginateDescribeJobDefinitions,
  paginateListJobs,
  RegisterJobDefinitionCommand,
  type RegisterJobDefinitionCommandInput,
  TerminateJobCommand,
} from "@aws-sdk/client-batch";
import { TracemillError } from "@tracemill/core/errors.ts";
import pMap from "p-map";
import { awsError, isAwsError } from "../errors.ts";
import { callService, pagesOf } from "./service-call.ts";

export type { JobStatus } from "@aws-sdk/client-batch";

export interface JobSummary {
  jobId: string;
  jobName: string;
  status: JobStatus;
  /** In Batch's words: why it is in that status. */
  statusReason?: string;
  /** Milliseconds since the epoch. */
  createdAt?: number;
  startedAt?: number;
  stoppedAt?: number;
  exitCode?: number;
  /** What the container runtime said: `OutOfMemoryError: …`, `CannotPullContainerError: …`. */
  containerReason?: string;
}

export interface JobDetail extends JobSummary {
  queue: string;
  definition: string;
  /** What filled the definition's placeholders. */
  parameters: Record<string, string>;
  tags: Record<string, string>;
  /** Stream of its last attempt in the definition's log group; absent until its container has started. */
  logStream?: string;
  /** Ended attempts, oldest first. */
  attempts: { statusReason?: string; exitCode?: number; containerReason?: string; logStream?: string }[];
}

/** Statuses of a job that has not ended, in their order. */
export const liveStatuses = [
  "SUBMITTED",
  "PENDING",
  "RUNNABLE",
  "STARTING",
  "RUNNING",
] as const satisfies JobStatus[];

export interface DefinitionSummary {
  revision: number;
  tags: Record<string, string>;
}

/** Batch jobs and their definitions. */
export interface Jobs {
  /**
   * Jobs of a queue whose names begin with `namePrefix`. Batch forgets a job 7 days after its end.
   * @param which `live` (default): those that have not ended.
   * @throws TracemillError `not-found` when there is no such queue, `unauthorized`, `storage-failed`.
   */
  list(search: { queue: string; namePrefix: string; which?: "live" | "all" }): AsyncIterable<JobSummary>;
  /** Details of those of the jobs that Batch still knows. */
  describe(jobIds: readonly string[]): AsyncIterable<JobDetail>;
  /** Cancels a job that waits and stops one that runs (SIGTERM, then SIGKILL). Silent when it has ended. */
  terminate(jobId: string, reason: string): Promise<void>;
  /** A new revision of a job definition. */
  register(definition: RegisterJobDefinitionCommandInput): Promise<{ arn: string; revision: number }>;
  /** Of these names of job definitions, those that have an active revision: the newest one's number and tags. */
  definitions(names: readonly string[]): Promise<Map<string, DefinitionSummary>>;
}

/** Batch has one error for whatever the client got wrong; its message tells what. */
const clientError = "ClientException";

/** Batch's limit for one DescribeJobs. */
const describeBatch = 100;

/** Up to that many names are asked for one by one; beyond it, all definitions are listed, 100 a page. */
const askedOneByOne = 20;

export function batchJobs(client: BatchClient): Jobs {
  return {
    list: (search) => list(search, client),
    describe: (jobIds) => describe(jobIds, client),
    terminate: (jobId, reason) => terminate(jobId, reason, client),
    register: (definition) => register(definition, client),
    definitions: (names) => definitions(names, client),
  };
}

async function* list(
  { queue, namePrefix, which = "live" }: { queue: string; namePrefix: string; which?: "live" | "all" },
  client: BatchClient,
): AsyncGenerator<JobSummary> {
  // By name Batch gives jobs of every status, 100 a page and the ended ones among them: by status, with 1,000 a
  // page, the live ones of a large run come sooner.
  const requests: ListJobsRequest[] =
    which === "live"
      ? liveStatuses.map((jobStatus) => ({ jobStatus }))
      : [{ filters: [{ name: "JOB_NAME", values: [`${namePrefix}*`] }] }];
  const seen = new Set<string>();
  for (const request of requests) {
    for await (const job of listPages({ jobQueue: queue, ...request }, client)) {
      // A job that moved on between two requests is listed twice.
      if (!job.jobName.startsWith(namePrefix) || seen.has(job.jobId)) continue;
      seen.add(job.jobId);
      yield job;
    }
  }
}

async function* listPages(request: ListJobsRequest, client: BatchClient): AsyncGenerator<JobSummary> {
  const queue = request.jobQueue ?? "";
  const call = { doing: `listing the jobs of ${queue}`, action: "batch:ListJobs", expects: [clientError] };
  try {
    for await (const page of pagesOf(call, paginateListJobs({ client }, request))) {
      for (const job of page.jobSummaryList ?? []) yield summaryOf(job);
    }
  } catch (error) {
    throw isUnknown(error) ? noQueue(queue, error) : awsError(error, call);
  }
}

function isUnknown(error: unknown): boolean {
  return isAwsError(error, clientError) && /does not exist|not found/i.test(error.message);
}

function noQueue(queue: string, cause: unknown): TracemillError {
  const remedy = "deploy the stage again (`npx sst deploy --stage NAME`)";
  return new TracemillError("not-found", `${queue}: no such job queue; ${remedy}`, { cause });
}

function summaryOf(job: AwsJobSummary | AwsJobDetail): JobSummary {
  const { jobId = "", jobName = "", status = "SUBMITTED" } = job;
  const exitCode = job.container?.exitCode;
  const containerReason = job.container?.reason;
  return {
    jobId,
    jobName,
    status,
    ...present({ statusReason: job.statusReason, createdAt: job.createdAt }),
    ...present({ startedAt: job.startedAt, stoppedAt: job.stoppedAt, exitCode, containerReason }),
  };
}

/** The properties that have a value. */
function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

async function* describe(jobIds: readonly string[], client: BatchClient): AsyncGenerator<JobDetail> {
  for (let start = 0; start < jobIds.length; start += describeBatch) {
    const jobs = jobIds.slice(start, start + describeBatch);
    const call = { doing: `describing ${jobs.length} jobs`, action: "batch:DescribeJobs" };
    const answer = await callService(call, () => client.send(new DescribeJobsCommand({ jobs })));
    for (const job of answer.jobs ?? []) yield detailOf(job);
  }
}

function detailOf(job: AwsJobDetail): JobDetail {
  const attempts = (job.attempts ?? []).map((attempt) => {
    const container = attempt.container ?? workerOf(attempt.taskProperties)?.containers?.find(isWorker);
    return present({
      statusReason: attempt.statusReason,
      exitCode: container?.exitCode,
      containerReason: container?.reason,
      logStream: container?.logStreamName,
    });
  });
  const worker = workerOf(job.ecsProperties?.taskProperties)?.containers?.find(isWorker);
  // Batch may give an empty name before the container has started.
  const logStream = job.container?.logStreamName || worker?.logStreamName || attempts.at(-1)?.logStream;
  return {
    ...summaryOf(job),
    ...present({
      exitCode: job.container?.exitCode ?? worker?.exitCode,
      containerReason: job.container?.reason ?? worker?.reason,
      logStream,
    }),
    queue: job.jobQueue ?? "",
    definition: job.jobDefinition ?? "",
    parameters: job.parameters ?? {},
    tags: job.tags ?? {},
    attempts,
  };
}

/** A job of several containers has one task. */
function workerOf<T>(tasks: T[] | undefined): T | undefined {
  return tasks?.[0];
}

/** Of a job's containers the one that is ours; the others are sandboxes. */
function isWorker({ name }: { name?: string | undefined }): boolean {
  return name === "worker";
}

async function terminate(jobId: string, reason: string, client: BatchClient): Promise<void> {
  const call = { doing: `terminating job ${jobId}`, action: "batch:TerminateJob", expects: [clientError] };
  try {
    await callService(call, () => client.send(new TerminateJobCommand({ jobId, reason })));
  } catch (error) {
    if (!isUnknown(error)) throw awsError(error, call);
  }
}

async function register(
  definition: RegisterJobDefinitionCommandInput,
  client: BatchClient,
): Promise<{ arn: string; revision: number }> {
  const { jobDefinitionName: name = "" } = definition;
  const call = { doing: `registering the job definition ${name}`, action: "batch:RegisterJobDefinition" };
  const answer = await callService(call, () => client.send(new RegisterJobDefinitionCommand(definition)));
  return { arn: answer.jobDefinitionArn ?? "", revision: answer.revision ?? 0 };
}

async function definitions(
  names: readonly string[],
  client: BatchClient,
): Promise<Map<string, DefinitionSummary>> {
  const wanted = new Set(names);
  const found = new Map<string, DefinitionSummary>();
  const note = async (request: { jobDefinitionName?: string }): Promise<void> => {
    const pages = paginateDescribeJobDefinitions({ client }, { status: "ACTIVE", ...request });
    for await (const page of pagesOf(
      { doing: "listing job definitions", action: "batch:DescribeJobDefinitions" },
      pages,
    )) {
      for (const { jobDefinitionName: name = "", revision = 0, tags = {} } of page.jobDefinitions ?? [])
        if (wanted.has(name) && revision >= (found.get(name)?.revision ?? 0))
          found.set(name, { revision, tags });
    }
  };
  if (names.length > askedOneByOne) await note({});
  else await pMap(names, (jobDefinitionName) => note({ jobDefinitionName }), { concurrency: 4 });
  return found;
}
