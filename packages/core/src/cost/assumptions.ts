/** What an estimate takes for granted where a plan does not say it. Each can be replaced. */
import * as z from "zod";

const seconds = z.number().min(0);
const bytes = z.number().int().min(0);
const count = z.number().min(0);

const jobSize = z.strictObject({
  vcpus: z.number().positive(),
  memoryGiB: z.number().positive(),
  /** What the stage allows jobs of this kind at once (`maxVcpus` in its settings). */
  maxVcpus: z.number().positive(),
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
  // `batchOwner` in packages/aws/src/owner.ts; a test of bench/scale holds the two together.
  heartbeatSeconds: 300,
  progressWindowSeconds: 60,
  storeCallSeconds: 0.01,
  spotInterruptionsPerHour: 0.05,
  packing: 0.95,
  // Sizes and `maxVcpus` are the defaults of infra/settings.ts; a test of bench/scale holds the two together.
  jobs: {
    step: { vcpus: 4, memoryGiB: 16, maxVcpus: 256, startSeconds: 45 },
    container: { vcpus: 2, memoryGiB: 4, maxVcpus: 256, startSeconds: 45 },
    // The worker and nine containers of the task's image.
    sandbox: { vcpus: 8, memoryGiB: 32, maxVcpus: 256, startSeconds: 60 },
    // The cheapest type that holds a job of the default size.
    host: { vcpus: 8, memoryGiB: 15, maxVcpus: 256, startSeconds: 60, instance: "c7i.2xlarge", gpus: 0 },
    // A boot, an image of 10 GB, and a model of some 10 GB into the GPU's memory. A stage has none until it says so.
    gpu: { vcpus: 8, memoryGiB: 28, maxVcpus: 256, startSeconds: 420, instance: "g6.2xlarge", gpus: 1 },
  },
};

/** Where each default comes from, for people who read an estimate. */
export const assumptionSources: Partial<Record<keyof Assumptions, string>> = {
  modelAgentSeconds: "a terminal agent of 20 turns; `limits.time` lowers it; --seconds-per-trial replaces it",
  scriptedAgentSeconds: "the example tasks' solutions; --seconds-per-trial replaces it",
  testsSeconds: "the example tasks' tests, in a fresh sandbox",
  attemptsPerTrial: "retries and interruptions of 5 % of the trials",
  spotInterruptionsPerHour: "AWS's Spot advisor: below 5 % a month for most types, 5 % an hour in bad ones",
  packing: "an instance is idle for two minutes before it is given back",
  jobs: "the defaults of a stage's settings (`compute` in infra/stages/<stage>.yaml)",
};
