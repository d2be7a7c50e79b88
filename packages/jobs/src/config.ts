import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";

const text = z.string().min(1);

/** What a job is told by its environment. Read here and nowhere else; the rest is in the stack's parameter. */
const Environment = z.object({
  TRACEMILL_STAGE: text,
  TRACEMILL_BUCKET: text,
  TRACEMILL_TABLE: text,
  /** For specs with a `source` that names no `baseUrl`. */
  TRACEMILL_PROD_BASE_URL: text.optional(),
  /** Where sandboxes, environments and temporary files go. */
  TRACEMILL_WORK_DIR: text.default(join(tmpdir(), "tracemill")),
  /** Where the volumes of the containers beside this one are mounted (`sandbox: job`). */
  TRACEMILL_BOXES_DIR: text.default("/tracemill/boxes"),
  /** Where the volume is mounted that all of them see, read-only: for the programs of agents. */
  TRACEMILL_LAYERS_DIR: text.default("/tracemill/layers"),
  /** The program with which their files are listed and copied, whatever their image has; the worker's image sets it. */
  TRACEMILL_BUSYBOX: text.optional(),
  /** Both set by Batch. */
  AWS_BATCH_JOB_ID: text.default("by-hand"),
  AWS_BATCH_JOB_ATTEMPT: z.coerce.number().int().min(1).default(1),
  /** Set by ECS: says which log stream this container writes to. */
  ECS_CONTAINER_METADATA_URI_V4: text.optional(),
});

export interface Config {
  stage: string;
  bucket: string;
  table: string;
  prodBaseUrl: string | undefined;
  workDir: string;
  boxesDir: string;
  layersDir: string;
  busybox: string | undefined;
  jobId: string;
  /** 1 for the job's first attempt. */
  attempt: number;
  metadataUrl: string | undefined;
  /** For programs that this one starts. It may hold credentials: never log it. */
  environment: Readonly<Record<string, string | undefined>>;
}

/** What this process was started with. */
export function environment(): Config["environment"] {
  return process.env;
}

/** @throws TracemillError `invalid-input` that names the variable. */
export function readConfig(env: Config["environment"]): Config {
  const parsed = parseAs(Environment, env, "environment of the job");
  return {
    stage: parsed.TRACEMILL_STAGE,
    bucket: parsed.TRACEMILL_BUCKET,
    table: parsed.TRACEMILL_TABLE,
    prodBaseUrl: parsed.TRACEMILL_PROD_BASE_URL,
    workDir: parsed.TRACEMILL_WORK_DIR,
    boxesDir: parsed.TRACEMILL_BOXES_DIR,
    layersDir: parsed.TRACEMILL_LAYERS_DIR,
    busybox: parsed.TRACEMILL_BUSYBOX,
    jobId: parsed.AWS_BATCH_JOB_ID,
    attempt: parsed.AWS_BATCH_JOB_ATTEMPT,
    metadataUrl: parsed.ECS_CONTAINER_METADATA_URI_V4,
    environment: env,
  };
}
