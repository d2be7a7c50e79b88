import { jobName } from "@tracemill/aws/pipeline/job-names.ts";
import type { ExecutionInput, ImageItem, JobItem, ShardItem } from "@tracemill/aws/pipeline/messages.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import type { FanOutName } from "@tracemill/core/pipeline/stages.ts";
import { jobKindOf } from "@tracemill/core/run/job-kind.ts";
import type { Shard } from "@tracemill/core/run/plan.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { jobTargetOf } from "./job-target.ts";

/** What jobs are made from. */
export interface JobSource {
  input: ExecutionInput;
  spec: RunSpec;
  stack: Pick<StackInfo, "jobs" | "onDemandQueues" | "stage">;
}

const hour = 3_600;

/** An attempt's time when the spec sets none, in seconds. Tasks mostly allow minutes. */
const longAttempt = 2 * hour;

/** Building an environment, verifying, and storing, for one attempt. */
const aroundAttempt = hour / 2;

/** Waiting for a machine's image pulls and a model's load. */
const startUp = hour;

/** Batch lets no Fargate job run longer than 14 days. */
const longest = 14 * 24 * hour;

/** An image that is not built and pushed in two hours is stuck. */
const imageTimeout = 2 * hour;

/** A shard with trials left, as the state machine is to work on it. @throws TracemillError `unsupported`. */
export function shardItem(shard: Shard, traced: boolean, source: JobSource): ShardItem {
  const { runId, execution } = source.input;
  const { shardId } = shard;
  const job = (stage: FanOutName) => shardJob(shard, stage, source);
  return { runId, execution, shardId, traced, trace: job("trace"), evaluate: job("evaluate") };
}

/** An environment whose image is missing. */
export function imageItem(environment: string, { input, spec, stack }: JobSource): ImageItem {
  const { runId, execution } = input;
  const image: JobItem = {
    ...stack.jobs.image,
    jobName: jobName([runId, environment, "image"]),
    timeoutSeconds: imageTimeout,
    parameters: parametersOf("image", environment, input),
    tags: tagsOf("image", runId, spec),
  };
  return { runId, execution, environment, image };
}

function shardJob(shard: Shard, stage: FanOutName, { input, spec, stack }: JobSource): JobItem {
  const { shardId, environment } = shard;
  return {
    ...jobTargetOf(jobKindOf(shard, stage, spec), environment, spec, stack),
    jobName: jobName([input.runId, shardId, stage]),
    timeoutSeconds: timeoutOf(shard, spec),
    parameters: parametersOf(stage, shardId, input),
    tags: tagsOf(stage, input.runId, spec),
  };
}

function parametersOf(stage: string, target: string, input: ExecutionInput): JobItem["parameters"] {
  const { runId, execution, startedAt, resumed } = input;
  return {
    stage,
    runId,
    target,
    execution,
    startedAt: String(startedAt),
    resumed: resumed ? "true" : "false",
  };
}

/**
 * When a job is taken for stuck, in seconds: the time of all attempts that the retry policy may grant, one wave of
 * `concurrency` after the other. Attempts have limits of their own, so this comes only when the worker hangs.
 */
function timeoutOf({ trials }: Shard, { concurrency, retry, limits }: RunSpec): number {
  const attempt = (limits.time === undefined ? longAttempt : limits.time / 1_000) + aroundAttempt;
  const waves = Math.ceil(trials / concurrency) * (1 + retry.max);
  return Math.min(longest, Math.ceil(startUp + waves * attempt));
}

/** For cost allocation. A tag's value: at most 256 letters, digits, spaces and `+-=._:/@`. */
function tagsOf(stage: string, runId: string, { name }: RunSpec): JobItem["tags"] {
  const value = (text: string): string => text.replaceAll(/[^\p{L}\p{N} +\-=._:/@]/gu, "_").slice(0, 256);
  return {
    "tracemill:run": value(runId),
    "tracemill:run-name": value(name),
    "tracemill:stage-of-run": value(stage),
  };
}
