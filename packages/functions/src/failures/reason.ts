import { jobExit } from "@tracemill/aws/pipeline/messages.ts";
import { retryableError } from "../error-type.ts";
import type { FailedJob } from "./cause.ts";

/** What failed: to name it, and to name the command that shows more. */
export interface Failed {
  runId: string;
  /** A stage, or `image`. */
  stage: string;
  /** The shard's id, the environment's hash, or `-`. */
  target: string;
}

interface Rule {
  /** Looked for in the reasons of Batch and ECS. */
  pattern?: RegExp;
  exitCodes?: readonly number[];
  words(job: FailedJob, failed: Failed): string;
}

const resume = ({ runId }: Failed): string => `\`tracemill resume ${runId} --on aws\``;

const logs = ({ runId, stage, target }: Failed): string => {
  const shard = target === "-" || stage === "image" ? "" : ` --shard ${target}`;
  return `\`tracemill logs ${runId}${shard} --on aws\` shows its log`;
};

const outOfMemory = (failed: Failed): string =>
  `ran out of memory; raise the memory of its job kind in the stage's settings or lower \`concurrency\`, then ${resume(failed)}`;

/** The first that fits is taken: what is certain comes first. */
const rules: readonly Rule[] = [
  {
    pattern: /CannotPull|pull image|manifest.*(unknown|not found)|ImageNotFound/i,
    words: ({ image }, failed) =>
      `its image${image === undefined ? "" : ` ${image}`} cannot be pulled; \`tracemill doctor --aws\` says which images are missing, then ${resume(failed)}`,
  },
  { pattern: /OutOfMemory|out of memory|oom[- ]?kill/i, words: (_, failed) => outOfMemory(failed) },
  {
    pattern: /ResourceInitializationError/i,
    words: (_, failed) =>
      `its container could not be prepared (network, secrets or volumes); \`tracemill doctor --aws\`, then ${resume(failed)}`,
  },
  {
    pattern: /^Host EC2|Spot|reclaim/i,
    words: ({ attempts }, failed) =>
      `its machine was taken away ${times(attempts)}; ${resume(failed)}, with \`aws: {spot: false}\` in a new run if it happens often`,
  },
  {
    pattern: /attempt duration exceeded timeout/i,
    words: (_, failed) => `took longer than its job may; ${logs(failed)}`,
  },
  {
    pattern: /MISCONFIGURATION|unable to place|no compute environment|CAPACITY_EXCEEDED/i,
    words: (_, failed) =>
      `no machine fits it or is to be had; \`tracemill doctor --aws\` compares quotas and sizes, then ${resume(failed)}`,
  },
  {
    exitCodes: [jobExit.misused],
    words: (_, failed) =>
      `was started wrongly (exit code ${jobExit.misused}): the stage and its worker image are of different versions; deploy again, then ${resume(failed)}`,
  },
  {
    exitCodes: [jobExit.interrupted],
    words: ({ attempts }, failed) =>
      `was interrupted, or met trouble that passes by itself, ${times(attempts)}; ${resume(failed)}`,
  },
  {
    exitCodes: [137],
    words: (_, failed) => `was killed (exit code 137): it probably ${outOfMemory(failed)}`,
  },
  {
    pattern: /terminat|cancel/i,
    words: (_, failed) => `was stopped from outside; ${resume(failed)} goes on`,
  },
];

/**
 * Why a job failed, for people: begins with what failed, then Batch's own words, then the next step.
 * @param logLine what the job itself said at its end.
 */
export function jobReason(failed: Failed, job: FailedJob, logLine: string | undefined): string {
  const texts = [job.containerReason, job.statusReason];
  const rule = rules.find(
    ({ pattern, exitCodes }) =>
      (pattern !== undefined && texts.some((text) => pattern.test(text))) ||
      (job.exitCode !== undefined && exitCodes?.includes(job.exitCode) === true),
  );
  const said = [...new Set(texts)].filter((text) => text !== "");
  if (rule !== undefined) {
    return `${nameOf(failed)}: ${rule.words(job, failed)}${quote(logLine === undefined ? said : [...said, logLine])}`;
  }
  if (logLine !== undefined) return `${nameOf(failed)}: ${logLine}; ${logs(failed)}`;
  const code = job.exitCode === undefined ? "failed" : `ended with exit code ${job.exitCode}`;
  return `${nameOf(failed)}: ${code}; ${logs(failed)}${quote(said)}`;
}

function quote(said: readonly string[]): string {
  return said.length === 0 ? "" : ` (${said.join("; ")})`;
}

/** Why something failed that is no job's failure: a function, or Batch's refusal of a submit. */
export function otherReason(failed: Failed, error: string | undefined, message: string | undefined): string {
  // Its own messages begin with what is wrong; the error's type adds nothing.
  const type = error === "TracemillError" || error === retryableError ? undefined : error;
  const what = [type, message].filter((text) => text !== undefined && text !== "").join(": ");
  if (error === "States.Timeout")
    return `${nameOf(failed)}: took longer than the state machine allows; ${logs(failed)}`;
  if (/JobDefinition|job definition/.test(message ?? "")) {
    return `${nameOf(failed)}: its job definition is missing; deploy the stage again, then ${resume(failed)} (${what})`;
  }
  return `${nameOf(failed)}: ${what === "" ? "failed without a reason" : what}`;
}

function nameOf({ stage, target }: Failed): string {
  if (target === "-") return `stage ${stage}`;
  return stage === "image" ? `image of environment ${target}` : `${stage} of shard ${target}`;
}

function times(attempts: number): string {
  if (attempts <= 1) return "once";
  return attempts === 2 ? "twice" : `${attempts} times`;
}
