import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";

const shardStages = ["trace", "evaluate"] as const;
const stepStages = ["ingest", "prepare", "plan", "export"] as const;

/** What becomes part of keys: nothing that could leave its folder. */
const key = z.string().regex(/^\w[\w.-]*$/, "letters, digits, `_`, `.` and `-`");

const common = {
  runId: key,
  /** The state machine execution that submitted the job. */
  execution: key,
  /** When the run was started or resumed, in ms since the epoch. */
  startedAt: z.coerce.number().int().positive(),
  resumed: z.enum(["true", "false"]).transform((text) => text === "true"),
};

const JobArguments = z.discriminatedUnion("stage", [
  z.strictObject({ stage: z.enum(stepStages), target: z.literal("-"), ...common }),
  /** `target`: the shard's id. */
  z.strictObject({ stage: z.enum(shardStages), target: key, ...common }),
  /** `target`: the environment's hash. */
  z.strictObject({ stage: z.literal("image"), target: key, ...common }),
]);
export type JobArguments = z.infer<typeof JobArguments>;

export type StepArguments = Extract<JobArguments, { target: "-" }>;
export type ShardArguments = Extract<JobArguments, { stage: (typeof shardStages)[number] }>;
export type ImageArguments = Extract<JobArguments, { stage: "image" }>;

const names = ["stage", "runId", "target", "execution", "startedAt", "resumed"] as const;

export const usage = `usage: node packages/jobs/src/main.ts ${names.map((name) => name.toUpperCase()).join(" ")}
  STAGE      ${[...stepStages, ...shardStages, "image"].join(" | ")}
  TARGET     a shard's id (${shardStages.join(", ")}), an environment's hash (image), - (the others)
  STARTEDAT  when the run was started or resumed, in ms since the epoch
  RESUMED    true | false
AWS Batch starts this program; its job definitions say "Ref::stage Ref::runId …" and SubmitJob fills them in.`;

/** @throws TracemillError `invalid-input` that names the argument. */
export function parseArguments(argv: readonly string[]): JobArguments {
  const given = Object.fromEntries(
    argv.map((value, index) => [names[index] ?? `argument ${index + 1}`, value]),
  );
  return parseAs(JobArguments, given, "arguments of the job");
}
