import { z } from "zod";

const days = z.number().int().min(1).max(3_650);
const logDays = z.union([1, 3, 5, 7, 14, 30, 60, 90, 180, 365, 731, 1_827, 3_653].map((n) => z.literal(n)));
const name = z.string().regex(/^[a-z0-9][a-z0-9._-]*$/i, "letters, digits, dot, dash and underscore");

/** A source that is mirrored on a schedule: what a spec's `source` says, without `kind`. */
const Source = z.looseObject({
  /** Under which its snapshots are kept. */
  name: name.default("prod"),
  /** The production API. Its token is the secret `PROD_API_TOKEN`. */
  baseUrl: z.url(),
});

const Schedule = z.strictObject({
  /** `cron(0 2 * * ? *)` or `rate(6 hours)`, as EventBridge Scheduler has them. */
  expression: z.string().regex(/^(cron|rate)\(.+\)$/, "wants `cron(…)` or `rate(…)`"),
  /** IANA time zone in which `cron` is meant. */
  timezone: z.string().default("UTC"),
  /** Starts at a moment of its own within so many minutes, so that not every stage calls the API at once. */
  jitterMinutes: z.number().int().min(0).max(1_440).default(15),
  enabled: z.boolean().default(true),
});

const Storage = z.strictObject({
  /** Raw snapshots are read once, by `prepare`: infrequent access halves their price. S3 allows 30 at the least. */
  rawToInfrequentAccessAfterDays: days.min(30).default(30),
  /**
   * Deletes what runs stored (`runs/`: specs, plans, trajectories, artifacts) so many days after it was written.
   * Datasets, tasks and snapshots stay. Default: never.
   */
  expireRunsAfterDays: days.optional(),
  /** How long overwritten and deleted objects can be brought back. */
  expireNoncurrentAfterDays: days.default(30),
});

/** The sizes that Fargate has, in MiB for each number of vCPUs: from, to, step. */
const fargateMemory: Record<number, readonly [number, number, number]> = {
  1: [2_048, 8_192, 1_024],
  2: [4_096, 16_384, 1_024],
  4: [8_192, 30_720, 1_024],
  8: [16_384, 61_440, 4_096],
  16: [32_768, 122_880, 8_192],
};

const fargateSize = (vcpus: number, memoryMiB: number) =>
  z.strictObject({
    vcpus: z.union([1, 2, 4, 8, 16].map((n) => z.literal(n))).default(vcpus),
    memoryMiB: z.number().int().default(memoryMiB),
  }).shape;

const hostSize = (vcpus: number, memoryMiB: number) =>
  z.strictObject({
    vcpus: z.number().int().min(1).max(192).default(vcpus),
    memoryMiB: z.number().int().min(512).default(memoryMiB),
  }).shape;

const fitsFargate = ({ vcpus, memoryMiB }: { vcpus: number; memoryMiB: number }): boolean => {
  const [from, to, step] = fargateMemory[vcpus] ?? [0, 0, 1];
  return memoryMiB >= from && memoryMiB <= to && (memoryMiB - from) % step === 0;
};
const fargateMessage = "Fargate has no such memory for these vCPUs (`vcpus: 2` allows 4096 to 16384 by 1024)";

const maxVcpus = (fallback: number) => z.number().int().min(0).max(100_000).default(fallback);

/** Shards that run nothing in a sandbox, steps, and exports. */
const Container = z
  .strictObject({
    ...fargateSize(2, 4_096),
    /** vCPUs at once, Spot and on demand each. Check the account's Fargate quota: `tracemill doctor --aws`. */
    maxVcpus: maxVcpus(256),
    /** ARM is a fifth cheaper; the worker image has to be built for it. */
    arm: z.boolean().default(false),
  })
  .refine(fitsFargate, { path: ["memoryMiB"], message: fargateMessage });

/** Steps that outgrow a function, and exports: few, on demand. */
const Step = z
  .strictObject({
    ...fargateSize(4, 16_384),
    /** Room for scratch files, GiB. Fargate gives 20 for nothing. */
    diskGiB: z.number().int().min(21).max(200).default(100),
    /** A step that takes longer is stuck. */
    timeoutHours: z.number().int().min(1).max(336).default(24),
  })
  .refine(fitsFargate, { path: ["memoryMiB"], message: fargateMessage });

/** Shards whose trials run in namespaces inside the worker's container, on EC2. */
const Host = z.strictObject({
  ...hostSize(8, 15_000),
  maxVcpus: maxVcpus(256),
  arm: z.boolean().default(false),
  /** Families or types. More of them make Spot interruptions rarer. Default: by `arm`. */
  instanceTypes: z.array(z.string().min(1)).min(1).optional(),
  /** Root volume (gp3) of an instance: images, environments and workspaces. */
  diskGiB: z.number().int().min(50).max(16_384).default(200),
});

/** Shards whose spec serves a model. Off with `maxVcpus: 0`: GPU quotas are 0 in a new account. */
const Gpu = z.strictObject({
  ...hostSize(8, 28_000),
  maxVcpus: maxVcpus(0),
  gpus: z.number().int().min(1).max(8).default(1),
  /** g6: L4, 24 GB; g5: A10G, 24 GB; p5: H100, 80 GB. Batch takes the cheapest one that fits. */
  instanceTypes: z.array(z.string().min(1)).min(1).default(["g6", "g5"]),
  diskGiB: z.number().int().min(50).max(16_384).default(300),
  /** Shared memory of the model server. */
  sharedMemoryMiB: z.number().int().min(64).default(8_192),
  /** A prebuilt image; without it `packages/jobs/gpu.Dockerfile` is built. */
  image: z.string().min(1).optional(),
});

/** Boxes of a `sandbox: job` task: an ECS task holds ten containers, one of them the worker. */
export const boxes = 9;

/**
 * Shards of `sandbox: job`: one Fargate task with the worker and nine boxes of the task's own image. Fargate wants
 * a size that it has for the sum of them.
 */
const Sandbox = z
  .strictObject({
    ...fargateSize(8, 32_768),
    /** Of each box; the worker has the rest. A task that wants more cannot run in a box. */
    boxVcpus: z.number().min(0.25).max(1.5).default(0.75),
    boxMemoryMiB: z.number().int().min(512).default(3_072),
    diskGiB: z.number().int().min(21).max(200).default(100),
  })
  .refine(fitsFargate, { path: ["memoryMiB"], message: fargateMessage })
  .refine((size) => size.vcpus > boxes * size.boxVcpus && size.memoryMiB > boxes * size.boxMemoryMiB, {
    path: ["boxVcpus"],
    message: "nine boxes leave nothing for the worker",
  });

const Compute = z.strictObject({
  container: Container.prefault({}),
  step: Step.prefault({}),
  host: Host.prefault({}),
  gpu: Gpu.prefault({}),
  sandbox: Sandbox.prefault({}),
});

const Alarms = z.strictObject({
  /** Gets a mail about each alarm, once it has confirmed the subscription. */
  email: z.email().optional(),
  /** A message of the ingest queue that waits so long means that a source is stuck. */
  ingestAgeHours: z.number().int().min(1).default(6),
});

/**
 * A stage of the deployment: `infra/stages/<stage>.yaml`. Without a file every setting has its default, and the
 * stage costs next to nothing while no run is at work.
 */
export const Settings = z.strictObject({
  /** Keeps bucket, table and images when the stage is removed. Default: in `prod`. */
  retain: z.boolean().optional(),
  /** More tags on everything, for cost allocation. `app` and `stage` are there. */
  tags: z.record(z.string(), z.string()).default({}),
  /** Mirrored on `schedule`, and used by specs that name no `baseUrl`. Default: none. */
  source: Source.optional(),
  schedule: Schedule.optional(),
  /** Starts a run of `specs/<spec>.json` in the bucket whenever a snapshot of the source is complete. Default: off. */
  startRun: z.strictObject({ spec: name }).optional(),
  /** Names of secrets besides `PROD_API_TOKEN`: model keys, one value each. */
  secrets: z.array(z.string().regex(/^[A-Z][A-Z0-9_]*$/, "capitals, digits and underscores")).default([]),
  /**
   * Models of Amazon Bedrock that trials may call, by id (`anthropic.claude-*`: by itself and by every geography's
   * inference profile) or by one profile's (`us.anthropic.claude-*`); `*` stands for any letters. Default: none.
   */
  bedrockModels: z
    .array(
      z.string().regex(/^[\w.:*-]+$/, "a model's id or an inference profile's, such as anthropic.claude-*"),
    )
    .default([]),
  /** A prebuilt worker image (`registry/name:tag`). Without it Docker builds `packages/jobs/Dockerfile` on deploy. */
  workerImage: z.string().min(1).optional(),
  storage: Storage.prefault({}),
  network: z
    .strictObject({
      /**
       * `public`: public addresses and no inbound rule, no charge by the hour. `private`: private subnets behind a
       * NAT gateway (33 USD a month and 0.045 USD a GB) for accounts that forbid public addresses.
       */
      subnets: z.enum(["public", "private"]).default("public"),
      cidr: z.string().default("10.64.0.0/16"),
      /** VPC flow logs, kept as long as other logs. */
      flowLogs: z.boolean().default(false),
    })
    .prefault({}),
  compute: Compute.prefault({}),
  /** Days after which a task image is deleted; a run that needs it builds it again. */
  expireImagesAfterDays: days.default(180),
  logs: z.strictObject({ days: logDays.default(30) }).prefault({}),
  /** X-Ray traces of the state machine and the functions: 5 USD a million, and they show where time goes. */
  tracing: z.boolean().default(false),
  /** The function behind the viewer's URL (read-only, IAM credentials). */
  api: z.boolean().default(true),
  alarms: Alarms.prefault({}),
});
export type Settings = z.infer<typeof Settings>;
