import { z } from "zod";
import { TracemillError } from "../errors.ts";
import { sha256Hex } from "../ids.ts";
import { parseAs } from "../validation.ts";
import { Duration } from "./duration.ts";
import { ExportSpec } from "./export-spec.ts";
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
  concurrency: z.number().int().positive().max(64).default(4),
  sleepMs: z.number().int().min(0).default(0),
  taskPageSize: z.number().int().positive().default(100),
  solutionPageSize: z.number().int().positive().default(100),
});

const limits = <D extends z.ZodType<number>>(duration: D) =>
  z.strictObject({
    /** Time for an attempt's agent; the task's own limit holds too. */
    time: duration.optional(),
    /** Prompt plus completion tokens of an attempt. */
    tokens: z.number().int().positive().optional(),
    costUsd: z.number().positive().optional(),
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

const runSpec = <D extends z.ZodType<number>>(duration: D) =>
  z
    .strictObject({
      name: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/i, "letters, digits, dot, dash and underscore"),
      source: ProdSource.optional(),
      /** Folders of Harbor tasks, and `snapshot:NAME` for the newest snapshot of a source. */
      tasks: z.array(z.string().min(1)).default([]),
      agents: z.array(AgentRef).min(1),
      /** Trials per task and agent. */
      attempts: z.number().int().min(1).max(1_000).default(1),
      /** Trials at once on this machine. */
      concurrency: z.number().int().min(1).max(1_024).default(4),
      sandbox: z.enum(["namespace"]).default("namespace"),
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
export const RunSpec = runSpec(Duration);
/** A spec as the program uses it: defaults filled in, durations in milliseconds. */
export type RunSpec = z.infer<typeof RunSpec>;

/** A spec as it is stored with its run: resolved, so that its durations are milliseconds already. */
export const ResolvedRunSpec = runSpec(z.number().positive());

/** Parses a spec; `where` is its file. @throws TracemillError `invalid-spec`. */
export function parseRunSpec(value: unknown, where: string): RunSpec {
  const spec = parseAs(RunSpec, value, where, "invalid-spec");
  const keys = spec.agents.map((agent) => JSON.stringify(agent));
  const twice = spec.agents.find((_, index) => keys.indexOf(keys[index] ?? "") !== index);
  if (twice !== undefined) {
    throw new TracemillError(
      "invalid-spec",
      `${where}: \`agents\` names ${twice.name} twice with the same settings; raise \`attempts\` for more trials`,
    );
  }
  const total = Object.values(spec.export?.splits ?? { train: 1 }).reduce((sum, share) => sum + share, 0);
  if (Math.abs(total - 1) > 1e-9) {
    throw new TracemillError("invalid-spec", `${where}: \`export.splits\` add up to ${total}, not to 1`);
  }
  return spec;
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
