/**
 * Every price, quota and limit that an estimate uses, in one file. List prices of us-east-1 in US dollars,
 * without free tiers, taxes and discounts. `tracemill cost --prices FILE` replaces any of them.
 */
import * as z from "zod";

const usd = z.number().min(0);
const perSecond = z.number().positive();

/** A share of the on-demand price that is paid: 0.3 is 70 % off. */
const share = z.number().min(0).max(1);

export const InstancePrice = z.strictObject({
  vcpus: z.number().positive(),
  memoryGiB: z.number().positive(),
  gpus: z.number().int().min(0).default(0),
  /** On demand, an hour. */
  hour: usd,
});
export type InstancePrice = z.infer<typeof InstancePrice>;

const fargateRate = z.strictObject({ vcpuHour: usd, gbHour: usd });

export const Prices = z.strictObject({
  /** What they are, and the year and month in which they were looked up. */
  asOf: z.string(),
  region: z.string(),
  stepFunctions: z.strictObject({ perThousandTransitions: usd }),
  lambda: z.strictObject({ perMillionRequests: usd, gbSecond: usd }),
  dynamo: z.strictObject({
    perMillionWriteUnits: usd,
    perMillionReadUnits: usd,
    gbMonth: usd,
    /** Point-in-time recovery. */
    backupGbMonth: usd,
  }),
  s3: z.strictObject({ perThousandPuts: usd, perThousandGets: usd, gbMonth: usd }),
  sqs: z.strictObject({ perMillionRequests: usd }),
  logs: z.strictObject({ gbIngested: usd }),
  eventBridge: z.strictObject({ perMillionEvents: usd }),
  fargate: z.strictObject({ x86: fargateRate, arm: fargateRate, spotShare: share }),
  ec2: z.strictObject({
    instances: z.record(z.string(), InstancePrice),
    spotShare: share,
    /** A GB of gp3 volume. */
    volumeGbMonth: usd,
  }),
  publicIpHour: usd,
  ecrGbMonth: usd,
  /** Models behind an API, by the name that a spec's agents give; dollars a million tokens. */
  models: z
    .record(z.string(), z.strictObject({ perMillionPrompt: usd, perMillionCompletion: usd }))
    .default({}),
});
export type Prices = z.infer<typeof Prices>;

/** The default prices. Pages are those of aws.amazon.com; the ones that are estimates say so. */
export const prices: Prices = {
  asOf: "list prices of 2026-11",
  region: "us-east-1",
  // "AWS Step Functions pricing", Standard Workflows.
  stepFunctions: { perThousandTransitions: 0.025 },
  // "AWS Lambda pricing", Arm, first tier.
  lambda: { perMillionRequests: 0.2, gbSecond: 0.000_013_333_4 },
  // "Pricing for on-demand capacity". A write unit: 1 KB. A read unit: 4 KB strongly, 8 KB eventually consistent.
  dynamo: { perMillionWriteUnits: 0.625, perMillionReadUnits: 0.125, gbMonth: 0.25, backupGbMonth: 0.2 },
  // "Amazon S3 pricing", S3 Standard. A PUT, a LIST and each request of a multipart upload cost the same.
  s3: { perThousandPuts: 0.005, perThousandGets: 0.000_4, gbMonth: 0.023 },
  // "Amazon SQS pricing", standard queues.
  sqs: { perMillionRequests: 0.4 },
  // "Amazon CloudWatch pricing", Logs, standard class.
  logs: { gbIngested: 0.5 },
  // "Amazon EventBridge pricing", custom events. Events of AWS services cost nothing.
  eventBridge: { perMillionEvents: 1 },
  // "AWS Fargate pricing", Linux. Spot varies; 70 % off is AWS's own upper figure, and an estimate here.
  fargate: {
    x86: { vcpuHour: 0.040_48, gbHour: 0.004_445 },
    arm: { vcpuHour: 0.032_38, gbHour: 0.003_56 },
    spotShare: 0.3,
  },
  // "Amazon EC2 On-Demand Pricing", Linux. Spot varies by the hour and the zone: 60 % off is an estimate.
  ec2: {
    instances: {
      "c7i.xlarge": { vcpus: 4, memoryGiB: 8, gpus: 0, hour: 0.1785 },
      "c7i.2xlarge": { vcpus: 8, memoryGiB: 16, gpus: 0, hour: 0.357 },
      "c7i.4xlarge": { vcpus: 16, memoryGiB: 32, gpus: 0, hour: 0.714 },
      "m7i.xlarge": { vcpus: 4, memoryGiB: 16, gpus: 0, hour: 0.2016 },
      "m7i.2xlarge": { vcpus: 8, memoryGiB: 32, gpus: 0, hour: 0.4032 },
      "m7i.4xlarge": { vcpus: 16, memoryGiB: 64, gpus: 0, hour: 0.8064 },
      "m7g.xlarge": { vcpus: 4, memoryGiB: 16, gpus: 0, hour: 0.1632 },
      "m7g.2xlarge": { vcpus: 8, memoryGiB: 32, gpus: 0, hour: 0.3264 },
      "g6.xlarge": { vcpus: 4, memoryGiB: 16, gpus: 1, hour: 0.8048 },
      "g6.2xlarge": { vcpus: 8, memoryGiB: 32, gpus: 1, hour: 0.9776 },
      "g6.12xlarge": { vcpus: 48, memoryGiB: 192, gpus: 4, hour: 4.6016 },
      "g5.xlarge": { vcpus: 4, memoryGiB: 16, gpus: 1, hour: 1.006 },
      "g5.2xlarge": { vcpus: 8, memoryGiB: 32, gpus: 1, hour: 1.212 },
      "g5.12xlarge": { vcpus: 48, memoryGiB: 192, gpus: 4, hour: 5.672 },
      "p5.48xlarge": { vcpus: 192, memoryGiB: 2048, gpus: 8, hour: 55.04 },
    },
    spotShare: 0.4,
    volumeGbMonth: 0.08,
  },
  // "Amazon VPC pricing": each public IPv4 address in use, a Fargate task's with them.
  publicIpHour: 0.005,
  // "Amazon ECR pricing". Pulls within the region cost nothing.
  ecrGbMonth: 0.1,
  models: {},
};

/** What AWS allows: hard limits and default quotas, of "Service Quotas" and each service's "Quotas" page. */
export const Limits = z.strictObject({
  /** Fargate tasks launched a second, sustained, in one account and region; on demand and Spot each. */
  fargateLaunchesPerSecond: perSecond,
  /** And at once before that rate holds. */
  fargateLaunchBurst: z.number().positive(),
  /** `SubmitJob` calls a second. */
  batchSubmitsPerSecond: perSecond,
  /** EC2 instances launched a second, sustained (the refill of the `RunInstances` bucket). */
  ec2LaunchesPerSecond: perSecond,
  ec2LaunchBurst: z.number().positive(),
  /** Child executions of one distributed map at once. */
  mapConcurrency: z.number().int().positive(),
  /** Events in the history of one execution. */
  historyEvents: z.number().int().positive(),
  /** Bytes of a state's input or output. */
  payloadBytes: z.number().int().positive(),
  /** State transitions a second of all standard executions. */
  transitionsPerSecond: perSecond,
  transitionBurst: z.number().positive(),
  /** Write units a second of one partition of a table. */
  partitionWriteUnits: perSecond,
  partitionReadUnits: perSecond,
  /** What a new on-demand table takes at once; it doubles what it has seen within 30 minutes. */
  newTableWriteUnits: perSecond,
  /** Default quota of one on-demand table. */
  tableWriteUnits: perSecond,
  tableReadUnits: perSecond,
  /** Largest record. */
  itemBytes: z.number().int().positive(),
  /** PUT, COPY, POST, DELETE a second and prefix; S3 splits busy prefixes by itself. */
  s3PutsPerSecond: perSecond,
  s3GetsPerSecond: perSecond,
  /** Largest JSON file that a distributed map reads. */
  mapFileBytes: z.number().positive(),
  lambdaConcurrency: z.number().int().positive(),
  lambdaSeconds: z.number().int().positive(),
  /** Default quotas of a new account, in vCPUs; a used account has more. `tracemill doctor --aws` shows yours. */
  newAccountVcpus: z.strictObject({
    fargate: z.number(),
    fargateSpot: z.number(),
    standard: z.number(),
    standardSpot: z.number(),
    gpu: z.number(),
    gpuSpot: z.number(),
  }),
});
export type Limits = z.infer<typeof Limits>;

export const limits: Limits = {
  fargateLaunchesPerSecond: 20,
  fargateLaunchBurst: 100,
  batchSubmitsPerSecond: 50,
  ec2LaunchesPerSecond: 2,
  ec2LaunchBurst: 1_000,
  mapConcurrency: 10_000,
  historyEvents: 25_000,
  payloadBytes: 256 * 1_024,
  transitionsPerSecond: 5_000,
  transitionBurst: 5_000,
  partitionWriteUnits: 1_000,
  partitionReadUnits: 3_000,
  newTableWriteUnits: 4_000,
  tableWriteUnits: 40_000,
  tableReadUnits: 40_000,
  itemBytes: 400 * 1_024,
  s3PutsPerSecond: 3_500,
  s3GetsPerSecond: 5_500,
  mapFileBytes: 10 * 1_024 ** 3,
  lambdaConcurrency: 1_000,
  lambdaSeconds: 900,
  newAccountVcpus: { fargate: 6, fargateSpot: 6, standard: 5, standardSpot: 5, gpu: 0, gpuSpot: 0 },
};
