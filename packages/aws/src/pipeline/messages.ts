/**
 * What the state machine, its functions and its jobs tell each other. Payloads stay far below the 256 KiB that a
 * state may hold: whatever grows with a run is in the stores, and only its key is passed.
 */
import * as z from "zod";

/** Input of an execution. Its name is `<runId>-<n>`: 1 for the start, one more with each resume. */
export const ExecutionInput = z.strictObject({
  runId: z.string(),
  /** The execution's own name. */
  execution: z.string(),
  /** When the run was started or resumed (ms since the epoch); a resumed run reopens what failed before. */
  startedAt: z.number().int(),
  resumed: z.boolean(),
});
export type ExecutionInput = z.infer<typeof ExecutionInput>;

/** Input of the functions `ingest`, `prepare`, `plan`, `export-small`. */
export const StepInput = ExecutionInput;
export const StepResult = z.strictObject({
  /** The function's time ran out: a job without that limit goes on with the step. */
  unfinished: z.boolean(),
});
export type StepResult = z.infer<typeof StepResult>;

export const CollectInput = z.strictObject({
  ...ExecutionInput.shape,
  /** Rounds done so far in this execution. */
  round: z.number().int().min(0),
});
export type CollectInput = z.infer<typeof CollectInput>;

/** A list in the bucket over which a distributed map goes. */
const MapList = z.strictObject({
  bucket: z.string(),
  key: z.string(),
  count: z.number().int(),
  /** Items at once. */
  concurrency: z.number().int(),
  /** Prefix for the map's own report. */
  results: z.string(),
});

/** What `collect` decides, by looking at what is stored. */
export const CollectResult = z.discriminatedUnion("next", [
  /** Task images are missing: build them, then collect again. */
  z.strictObject({ next: z.literal("images"), round: z.number().int(), list: MapList }),
  /** Shards have trials left: work on them, then collect again. */
  z.strictObject({ next: z.literal("shards"), round: z.number().int(), list: MapList }),
  /** All trials have ended. `in`: a small export fits a function. */
  z.strictObject({ next: z.literal("export"), round: z.number().int(), in: z.enum(["function", "job"]) }),
  /** Nothing more can be done now. */
  z.strictObject({ next: z.literal("stopped"), round: z.number().int(), reason: z.string() }),
]);
export type CollectResult = z.infer<typeof CollectResult>;

/** A Batch job as `submitJob.sync` is to start it. */
export const JobItem = z.strictObject({
  jobName: z.string().max(128),
  queue: z.string(),
  definition: z.string(),
  timeoutSeconds: z.number().int().min(60),
  /** Fill the placeholders of the definition's command: `Ref::stage Ref::runId Ref::target Ref::execution …`. */
  parameters: z.strictObject({
    stage: z.string(),
    runId: z.string(),
    /** A shard's id, an environment's hash, or `-`. */
    target: z.string(),
    execution: z.string(),
    startedAt: z.string(),
    resumed: z.enum(["true", "false"]),
  }),
  /** For cost allocation: `tracemill:run`, `tracemill:run-name`, `tracemill:stage-of-run`. */
  tags: z.record(z.string(), z.string()),
});
export type JobItem = z.infer<typeof JobItem>;

/** One entry of a round's shards. */
export const ShardItem = z.strictObject({
  runId: z.string(),
  execution: z.string(),
  shardId: z.string(),
  /** Nothing is left to trace; only verification is. */
  traced: z.boolean(),
  trace: JobItem,
  evaluate: JobItem,
});
export type ShardItem = z.infer<typeof ShardItem>;

/** One entry of a round's images. */
export const ImageItem = z.strictObject({
  runId: z.string(),
  execution: z.string(),
  environment: z.string(),
  image: JobItem,
});
export type ImageItem = z.infer<typeof ImageItem>;

/** Input of `record-failure` from inside the state machine. `error` is what a Catch gives. */
export const FailureInput = z.strictObject({
  runId: z.string(),
  execution: z.string(),
  /** What failed: a shard in a stage, an image, or a step. */
  stage: z.string(),
  /** The shard's id, the environment's hash, or `-`. */
  target: z.string(),
  error: z.looseObject({ Error: z.string().optional(), Cause: z.string().optional() }),
});
export type FailureInput = z.infer<typeof FailureInput>;

/** Input of `end-run`: an execution that came to its end. */
export const EndInput = z.strictObject({
  runId: z.string(),
  execution: z.string(),
  status: z.enum(["finished", "stopped"]),
  /** Why it stopped. */
  reason: z.string().optional(),
});
export type EndInput = z.infer<typeof EndInput>;

/** How a job's process ends; the retry strategies of the job definitions decide by these. */
export const jobExit = {
  done: 0,
  /** Failed for good: the log says why. */
  failed: 1,
  /** Wrong arguments, or a setting that is missing. */
  misused: 2,
  /** Told to stop (a Spot interruption): what was in flight is given back, and the job is to be run again. */
  interrupted: 75,
} as const;

/** A source that is mirrored on a schedule; also what goes through the ingest queue. */
export const IngestMessage = z.strictObject({
  source: z.looseObject({ name: z.string() }),
  /** How often it was passed on since the schedule fired. */
  hop: z.number().int().min(0).default(0),
  /** Which firing of the schedule it belongs to, so that one that is delivered twice mirrors the source once. */
  firing: z.string().min(1).max(256).optional(),
});
export type IngestMessage = z.infer<typeof IngestMessage>;
