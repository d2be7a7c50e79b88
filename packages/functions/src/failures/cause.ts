import * as z from "zod";

/** A container of a job as Batch describes it. */
const Container = z.looseObject({
  name: z.string().nullish(),
  image: z.string().nullish(),
  exitCode: z.number().nullish(),
  reason: z.string().nullish(),
  logStreamName: z.string().nullish(),
});

const withContainers = {
  container: Container.nullish(),
  /** Jobs of several containers. */
  taskProperties: z.array(z.looseObject({ containers: z.array(Container).nullish() })).nullish(),
};

/** The description of a failed job, which Step Functions passes on as the error's cause. */
const JobDetail = z.looseObject({
  jobId: z.string(),
  statusReason: z.string().nullish(),
  ...withContainers,
  ecsProperties: z.looseObject({ taskProperties: withContainers.taskProperties }).nullish(),
  attempts: z.array(z.looseObject({ statusReason: z.string().nullish(), ...withContainers })).nullish(),
});
type JobDetail = z.infer<typeof JobDetail>;
type Container = z.infer<typeof Container>;

/** What is known of a job that failed. */
export interface FailedJob {
  jobId: string;
  attempts: number;
  /** Why Batch ended it, in Batch's words. */
  statusReason: string;
  /** Why its container ended, in ECS's words. */
  containerReason: string;
  exitCode?: number;
  image?: string;
  logStream?: string;
}

/** An error of a function, as Lambda reports it. */
const FunctionError = z.looseObject({ errorType: z.string().optional(), errorMessage: z.string() });

/** The failed job that a Catch's cause describes; `undefined` when it describes something else. */
export function failedJobIn(cause: string | undefined): FailedJob | undefined {
  const parsed = JobDetail.safeParse(withSmallInitials(parseJson(cause)));
  return parsed.success ? summarize(parsed.data) : undefined;
}

/** The message of a function's error, or the cause as it is. */
export function messageIn(cause: string | undefined): string | undefined {
  const parsed = FunctionError.safeParse(parseJson(cause));
  return parsed.success ? parsed.data.errorMessage : cause;
}

function summarize(job: JobDetail): FailedJob {
  const attempts = job.attempts ?? [];
  const last = attempts.at(-1);
  const container = faulty([...containersOf(last), ...containersOf(job), ...containersOf(job.ecsProperties)]);
  const image = container.image ?? imageOf(job, container.name ?? undefined);
  return {
    jobId: job.jobId,
    attempts: attempts.length,
    statusReason: job.statusReason ?? last?.statusReason ?? "",
    containerReason: container.reason ?? "",
    ...(typeof container.exitCode === "number" ? { exitCode: container.exitCode } : {}),
    ...(image == null ? {} : { image }),
    ...(container.logStreamName == null ? {} : { logStream: container.logStreamName }),
  };
}

/** Of a job's containers the one that tells most: with a reason, else with a bad exit code, else with a log. */
function faulty(containers: readonly Container[]): Container {
  return (
    containers.find((each) => each.reason != null && each.reason !== "") ??
    containers.find((each) => typeof each.exitCode === "number" && each.exitCode !== 0) ??
    containers.find((each) => each.logStreamName != null) ??
    {}
  );
}

type HasContainers = Pick<JobDetail, "container" | "taskProperties">;

function containersOf(holder: Partial<HasContainers> | null | undefined): Container[] {
  const several = holder?.taskProperties?.flatMap((task) => task.containers ?? []) ?? [];
  return holder?.container == null ? several : [holder.container, ...several];
}

/** Attempts do not name their image; the job does. */
function imageOf(job: JobDetail, name: string | undefined): string | null | undefined {
  const all = [...containersOf(job), ...containersOf(job.ecsProperties)];
  return (all.find((each) => name === undefined || each.name === name) ?? all[0])?.image;
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

/** Step Functions writes Batch's keys with a capital letter, Batch itself does not. */
function withSmallInitials(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSmallInitials);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      `${key.slice(0, 1).toLowerCase()}${key.slice(1)}`,
      withSmallInitials(inner),
    ]),
  );
}
