import * as z from "zod";

/** Where a Batch job goes: its queue and its definition. */
const JobTarget = z.strictObject({ queue: z.string(), definition: z.string() });

/**
 * What a deployed stack tells everybody who works with it: the JSON of the parameter
 * `/tracemill/<stage>/stack` in Parameter Store. Names and ARNs, never secrets.
 */
export const StackInfo = z.strictObject({
  schemaVersion: z.literal(1),
  stage: z.string(),
  region: z.string(),
  bucket: z.string(),
  table: z.string(),
  stateMachineArn: z.string(),
  /** Functions by their name in `packages/functions/src/handlers`. */
  functions: z.record(z.string(), z.string()),
  /** Read-only JSON; absent when the stage has none. */
  apiUrl: z.string().optional(),
  ingestQueueUrl: z.string(),
  ingestDeadLettersUrl: z.string(),
  /** ECR repository of task images: `<registry>/<name>`. */
  imageRepository: z.string(),
  /** Secrets are `<prefix><NAME>`, one value each. */
  secretPrefix: z.string(),
  jobs: z.strictObject({
    /** The steps of a run that outgrow a function, and exports. Fargate. */
    step: JobTarget,
    /** Trials that run nothing in a sandbox. Fargate. */
    container: JobTarget,
    /** Namespaces inside the worker's container, on EC2. */
    host: JobTarget,
    /** The same with GPUs; absent when the stage has no GPU capacity. */
    gpu: JobTarget.optional(),
    /** A definition of its own for each task image (`sandbox: job`); `definition` is their name's prefix. */
    sandbox: JobTarget,
    /** Builds and pushes one task image, on EC2's Docker. */
    image: JobTarget,
  }),
  /** The same queues on demand only, by the name of the job kind, for specs that say `spot: false`. */
  onDemandQueues: z.partialRecord(z.enum(["container", "host", "gpu", "sandbox"]), z.string()),
  logGroups: z.strictObject({ jobs: z.string(), functions: z.string(), stateMachine: z.string() }),
  /** What a job of each kind has; a spec or a task that wants more cannot run. */
  sizes: z.record(
    z.enum(["step", "container", "host", "gpu", "sandbox", "image"]),
    z.strictObject({ vcpus: z.number(), memoryMiB: z.number().int(), gpus: z.number().int().default(0) }),
  ),
});
export type StackInfo = z.infer<typeof StackInfo>;

/** The parameter that holds a stage's `StackInfo`. */
export function stackParameter(stage: string): string {
  return `/tracemill/${stage}/stack`;
}
