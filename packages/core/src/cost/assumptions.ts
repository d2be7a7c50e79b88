/** What an estimate takes for granted where a plan does not say it. Each can be replaced. */
import { z } from "zod";
import { leaseMs } from "../trial/lease.ts";

const seconds = z.number().min(0);
const bytes = z.number().int().min(0);
const count = z.number().min(0);

const jobSize = z.strictObject({
  vcpus: z.number().positive(),
  memoryGiB: z.number().positive(),
  /** From the submit to the first trial: a machine, the image, the worker, and for `gpu` the model. */
  startSeconds: seconds,
});

const onInstances = z.strictObject({
  ...jobSize.shape,
  /** The EC2 instance type that its jobs are packed onto. */
  instance: z.string(),
  gpus: z.number().int().min(0).default(0),
});

export const Assumptions = z.strictObject({
  /** An attempt of an agent that talks to a model. */
  modelAgentSeconds: seconds,
  /** An attempt of an agent that runs a script or plays a recording. */
  scriptedAgentSeconds: seconds,
  /** A verification by tests, its sandbox with it. */
  testsSeconds: seconds,
  /** A verdict without a sandbox: an answer compared, a claim taken over. */
  verdictSeconds: seconds,
  /** Attempts for each trial: 1 plus what retries and interruptions add. */
  attemptsPerTrial: z.number().min(1),
  promptTokens: count,
  completionTokens: count,
  trajectoryBytes: bytes,
  exchangesBytes: bytes,
  artifactsBytes: bytes,
  resultBytes: bytes,
  taskBytes: bytes,
  /** Log lines of a worker for one attempt. */
  logBytesPerTrial: bytes,
  /** How often a worker reports its shard. */
  reportSeconds: seconds,
  /** How often the lease of a trial at work is renewed. */
  heartbeatSeconds: z.number().positive(),
  /** How long changes gather before the function `progress` sums them. */
  progressWindowSeconds: seconds,
  /** A request to a store, as a step that makes them one after another feels it. */
  storeCallSeconds: seconds,
  /** Interruptions of a Spot job an hour. */
  spotInterruptionsPerHour: count,
  /** Of an instance's vCPUs, how many jobs fill on average. */
  packing: z.number().positive().max(1),
  jobs: z.strictObject({
    step: jobSize,
    container: jobSize,
    sandbox: jobSize,
    host: onInstances,
    gpu: onInstances,
  }),
});
export type Assumptions = z.infer<typeof Assumptions>;

export const assumptions: Assumptions = {
  // A terminal agent of some 20 turns of 10 to 20 s each; public agent benchmarks report 3 to 10 minutes.
  modelAgentSeconds: 300,
  // The example tasks' solutions and replays end within seconds; a build of dependencies takes longer.
  scriptedAgentSeconds: 20,
  testsSeconds: 20,
  verdictSeconds: 0.5,
  attemptsPerTrial: 1.05,
  // 20 turns over a context that grows to 12,000 tokens.
  promptTokens: 120_000,
  completionTokens: 6_000,
  trajectoryBytes: 60_000,
  exchangesBytes: 40_000,
  artifactsBytes: 50_000,
  resultBytes: 3_000,
  taskBytes: 20_000,
  // Two JSON lines an attempt and stage of some 250 bytes, and one of progress each 30 s.
  logBytesPerTrial: 1_500,
  reportSeconds: 60,
  heartbeatSeconds: leaseMs / 3_000,
  progressWindowSeconds: 60,
  storeCallSeconds: 0.01,
  spotInterruptionsPerHour: 0.05,
  packing: 0.85,
  jobs: {
    step: { vcpus: 2, memoryGiB: 8, startSeconds: 45 },
    container: { vcpus: 1, memoryGiB: 2, startSeconds: 45 },
    // The worker and up to nine containers of the task's image.
    sandbox: { vcpus: 4, memoryGiB: 16, startSeconds: 60 },
    host: { vcpus: 4, memoryGiB: 8, startSeconds: 60, instance: "m7i.4xlarge", gpus: 0 },
    // A boot, an image of 10 GB, and a model of some 10 GB into the GPU's memory.
    gpu: { vcpus: 4, memoryGiB: 14, startSeconds: 420, instance: "g6.xlarge", gpus: 1 },
  },
};

/** Where each default comes from, for people who read an estimate. */
export const assumptionSources: Partial<Record<keyof Assumptions, string>> = {
  modelAgentSeconds: "a terminal agent of 20 turns; `limits.time` lowers it; --seconds-per-trial replaces it",
  scriptedAgentSeconds: "the example tasks' solutions; --seconds-per-trial replaces it",
  testsSeconds: "the example tasks' tests, in a fresh sandbox",
  attemptsPerTrial: "retries and interruptions of 5 % of the trials",
  spotInterruptionsPerHour: "AWS's Spot advisor: below 5 % a month for most types, 5 % an hour in bad ones",
  packing: "jobs of one size on instances of one size",
};
