import * as z from "zod";
import { TracemillError } from "../errors.ts";
import { sha256Hex } from "../ids.ts";
import { MOST_REQUESTS } from "../ingest/request-limit.ts";
import { modelKeys } from "../models/model-spec.ts";
import { defaultRedaction, RedactionPolicy } from "../redact/policy.ts";
import { parseAs } from "../validation.ts";
import { Duration } from "./duration.ts";
import { ExportSpec } from "./export-spec.ts";
import { refuseSecrets } from "./spec-secrets.ts";
import { AgentRef } from "./trial.ts";

/** Production activity, ingested anew at the start of the run. */
const ProdSource = z.strictObject({
  kind: z.literal("prod"),
  /** Name under which its snapshots are kept. */
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]*$/i, "letters, digits, dot, dash and underscore")
    .default("prod"),
  /** Default: the variable `TRACEMILL_PROD_BASE_URL`. The token always comes from a variable. */
  baseUrl: z.url().optional(),
  statuses: z.array(z.string().min(1)).min(1).default(["done"]),
  maxTasks: z.number().int().positive().optional(),
  includeEmpty: z.boolean().default(false),
  search: z.string().optional(),
  concurrency: z.number().int().positive().max(64).default(MOST_REQUESTS),
  sleepMs: z.number().int().min(0).default(0),
  taskPageSize: z.number().int().positive().default(100),
  solutionPageSize: z.number().int().positive().default(100),
  /** The API's own parameter by which a list gives only what changed since a time. */
  sinceParam: z.string().min(1).optional(),
  /** Which tasks the run is over: all that the source has, or those that its ingest found to be new or changed. */
  take: z.enum(["latest", "changed"]).default("latest"),
  /** Run over this snapshot of the source as it is, and ingest nothing. */
  snapshot: z.string().min(1).optional(),
});

/** A model that a GPU job serves to the trials of its shard, through an OpenAI-compatible server of its own. */
const servedModel = <D extends z.ZodType<number>>(duration: D) =>
  z.strictObject({
    /** The server as an argv; `{model}` and `{port}` are filled in. It has to listen on 127.0.0.1. */
    command: z
      .array(z.string().min(1))
      .min(1)
      .default(["vllm", "serve", "{model}", "--host", "127.0.0.1", "--port", "{port}"]),
    /** What the server calls the model. Default: the name that agents use. */
    model: z.string().min(1).optional(),
    /** Answers 2xx once the model is loaded. */
    healthPath: z.string().startsWith("/").default("/health"),
    /** How long loading may take. */
    startTimeout: duration.optional(),
    env: z.record(z.string(), z.string()).default({}),
  });
export type ServedModel = z.infer<ReturnType<typeof servedModel<typeof Duration>>>;

/** What only a run on AWS heeds. */
const AwsOptions = z.strictObject({
  /** Shards (so Batch jobs) at once. Within one of them `concurrency` trials run at once. */
  jobs: z.number().int().min(1).max(10_000).default(100),
  /** Interruptible capacity first; `false`: on demand only. */
  spot: z.boolean().default(true),
});

const limits = <D extends z.ZodType<number>>(duration: D) =>
  z.strictObject({
    /** Time for an attempt's agent; the task's own limit holds too. */
    time: duration.optional(),
    /** Prompt plus completion tokens of an attempt. */
    tokens: z.number().int().positive().optional(),
    costUsd: z.number().positive().optional(),
    /** Requests to models in an attempt. */
    turns: z.number().int().positive().optional(),
    /** Caps on the whole run: it stops, keeps what it has, and can be resumed. */
    run: z
      .strictObject({
        time: duration.optional(),
        tokens: z.number().int().positive().optional(),
        costUsd: z.number().positive().optional(),
      })
      .default({}),
  });
export type Limits = z.infer<ReturnType<typeof limits<typeof Duration>>>;

export const SandboxName = z.enum(["docker", "namespace", "job"]);
export type SandboxName = z.infer<typeof SandboxName>;

const runSpec = <D extends z.ZodType<number>, S extends z.ZodType<SandboxName | undefined>>(
  duration: D,
  sandbox: S,
) =>
  z
    .strictObject({
      name: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/i, "letters, digits, dot, dash and underscore"),
      source: ProdSource.optional(),
      /** Folders of Harbor tasks, and `snapshot:NAME` for the newest snapshot of a source. */
      tasks: z.array(z.string().min(1)).default([]),
      agents: z.array(AgentRef).min(1),
      /** Trials per task and agent. */
      attempts: z.number().int().min(1).max(1_000).default(1),
      /** Trials at once in one process: on this machine, or in each job on AWS. */
      concurrency: z.number().int().min(1).max(1_024).default(4),
      /**
       * `docker`: a container of the task's own image, on this machine. `namespace`: Linux namespaces, on this
       * machine or inside a job's container. `job`: on AWS, a container of the task's own image beside the worker.
       * Default: Docker where its engine answers, else namespaces; on AWS namespaces.
       */
      sandbox,
      /** Models that GPU jobs serve, by the name that `agents[].model` gives. */
      models: z.record(z.string(), servedModel(duration)).default({}),
      ...modelKeys,
      redact: RedactionPolicy.default(defaultRedaction),
      aws: AwsOptions.default({ jobs: 100, spot: true }),
      /** `task`: as each task says; `none`: never, whatever a task says. */
      network: z.enum(["task", "none"]).default("task"),
      /** Values for `${NAME}` in the tasks' `env` tables. */
      env: z.record(z.string(), z.string()).default({}),
      limits: limits(duration).default({ run: {} }),
      retry: z.strictObject({ max: z.number().int().min(0).max(20).default(2) }).default({ max: 2 }),
      export: ExportSpec.optional(),
    })
    .refine((spec) => spec.source !== undefined || spec.tasks.length > 0, {
      path: ["tasks"],
      message: "nothing to run: give `source`, `tasks`, or both",
    });

/** A spec as a user writes it. */
export const RunSpec = runSpec(Duration, SandboxName.optional());
/** A spec as the program uses it: defaults filled in, durations in milliseconds. */
export type RunSpec = z.infer<typeof ResolvedRunSpec>;

/** A spec as it is stored with its run: resolved, so that its durations are milliseconds already. */
export const ResolvedRunSpec = runSpec(z.number().positive(), SandboxName);

/** What a spec does not have to say, since it depends on where it runs. */
export interface SpecDefaults {
  sandbox: SandboxName;
}

/** Parses a spec; `where` is its file. @throws TracemillError `invalid-spec`. */
export function parseRunSpec(
  value: unknown,
  where: string,
  defaults: SpecDefaults = { sandbox: "namespace" },
): RunSpec {
  const parsed = parseAs(RunSpec, value, where, "invalid-spec");
  const spec = { ...parsed, sandbox: parsed.sandbox ?? defaults.sandbox };
  requireDifferent(spec.agents, where);
  refuseSecrets(spec, where);
  if (spec.sandbox === "job" && spec.network === "none") {
    throw new TracemillError(
      "invalid-spec",
      `${where}: \`network: none\` cannot be had with \`sandbox: job\`, whose containers share the network of their job; say \`sandbox: namespace\``,
    );
  }
  const total = Object.values(spec.export?.splits ?? { train: 1 }).reduce((sum, share) => sum + share, 0);
  if (Math.abs(total - 1) > 1e-9) {
    throw new TracemillError("invalid-spec", `${where}: \`export.splits\` add up to ${total}, not to 1`);
  }
  return spec;
}

/** @throws TracemillError `invalid-spec` for two agents that are alike. */
export function requireDifferent(agents: readonly AgentRef[], where: string): void {
  const keys = agents.map((agent) => JSON.stringify(agent));
  const twice = agents.find((_, index) => keys.indexOf(keys[index] ?? "") !== index);
  if (twice === undefined) return;
  throw new TracemillError(
    "invalid-spec",
    `${where}: \`agents\` names ${twice.name} twice with the same settings; raise \`attempts\` for more trials`,
  );
}

/** @throws TracemillError `invalid-spec` for what only a run on a machine of one's own can do. */
export function requireOnAws({ sandbox }: Pick<RunSpec, "sandbox">, where: string): void {
  if (sandbox !== "docker") return;
  throw new TracemillError(
    "invalid-spec",
    `${where}: \`sandbox: docker\` is for one machine; on AWS say \`job\`, for containers of the task's own image, or \`namespace\``,
  );
}

export function specHash(spec: RunSpec): string {
  return sha256Hex(canonicalJson(spec));
}

/** JSON with sorted keys: the same value gives the same text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
