import * as z from "zod";

/**
 * What a production task API says. Loose everywhere: unknown fields are kept, since a raw snapshot is what the
 * source said. Names follow the API (snake_case).
 */

/** Ids may come as numbers; they are kept as strings. */
const Id = z.union([z.string().min(1), z.number().int()]).transform(String);

export const EvaluationStatus = z.enum(["pending", "evaluating", "passed", "failed", "partial"]);
export type EvaluationStatus = z.infer<typeof EvaluationStatus>;

export const EvaluationCheck = z.looseObject({
  /** For example `backend_event:NAME` or `dom:NAME`. */
  name: z.string(),
  passed: z.boolean().nullish(),
  value: z.unknown().optional(),
  details: z.unknown().optional(),
});

/** What the source claims about a solution; a claim until a real run confirms it. */
export const Evaluation = z.looseObject({
  status: EvaluationStatus,
  /** 0 to 1. */
  score: z.number().nullish(),
  verdict: z.string().nullish(),
  checks: z.array(EvaluationCheck).nullish(),
});
export type Evaluation = z.infer<typeof Evaluation>;

/** A command that decides a task: exit code 0 is a pass. */
export const DecidingCommand = z.looseObject({
  /** Run by `bash -c` in the task's working directory. */
  command: z.string().min(1),
  timeout_sec: z.number().positive().nullish(),
  /** Files laid into `/tests` before the command runs: relative path to text. */
  files: z.record(z.string(), z.string()).nullish(),
});

/** Where the task happens. */
export const ProductionEnvironment = z.looseObject({
  dockerfile: z.string().nullish(),
  /** Files laid into the working directory: relative path to text. */
  files: z.record(z.string(), z.string()).nullish(),
  workdir: z.string().nullish(),
  env: z.record(z.string(), z.string()).nullish(),
  network: z.boolean().nullish(),
});

/** A Harbor task inside a production task: its files as text, or a base64 tar (plain, gzip or zstd). */
export const EmbeddedHarborTask = z.looseObject({
  files: z.record(z.string(), z.string()).nullish(),
  archive_base64: z.string().nullish(),
});

/** Fields that were too long for a row: `artifact:<sha256>;application/json` by the field's name (`restoreValues`). */
const MovedFields = z.record(z.string(), z.string()).nullish();

export const Task = z.looseObject({
  id: Id,
  /** The source's own word, for example `done`. */
  status: z.string().nullish(),
  title: z.string().nullish(),
  /** What the agent was asked. */
  prompt: z.string().nullish(),
  /** For example `shell`, `qa`, `tool`, `web`. */
  kind: z.string().nullish(),
  /** Tasks of one group never fall into different splits. Default: the task itself. */
  group: z.string().nullish(),
  tags: z.array(z.string()).nullish(),
  created_at: z.string().nullish(),
  harbor: EmbeddedHarborTask.nullish(),
  verify: DecidingCommand.nullish(),
  environment: ProductionEnvironment.nullish(),
  /** A shell script that solves the task, for the oracle. */
  reference_solution: z.string().nullish(),
  /** The request in OpenAI Responses form: `input` items, `tools`, `instructions`. */
  responses_create_params: z.looseObject({}).nullish(),
  /** The request in chat form. */
  messages: z.array(z.looseObject({ role: z.string() })).nullish(),
  tools: z.array(z.looseObject({})).nullish(),
  /** The right answer of a question, compared with the solution's final answer. */
  expected_answer: z.union([z.string(), z.number()]).nullish(),
  moved_fields: MovedFields,
});
export type Task = z.infer<typeof Task>;

/** One step of a recorded solution, in the simple form: a thought, one tool call, what came back. */
export const SolutionStep = z.looseObject({
  thought: z.string().nullish(),
  /** Tool name, for example `bash`. Absent: a plain message. */
  tool: z.string().nullish(),
  arguments: z.record(z.string(), z.unknown()).nullish(),
  observation: z.string().nullish(),
  message: z.string().nullish(),
  timestamp: z.string().nullish(),
});

/**
 * A recorded solution. Its steps come in one of four forms, told apart by the field that is present:
 * `trajectory` (ATIF), `response` (OpenAI Responses), `messages` (OpenAI chat), `steps` (simple).
 */
export const Solution = z.looseObject({
  id: Id,
  task_id: Id.nullish(),
  agent: z.string().nullish(),
  model: z.string().nullish(),
  created_at: z.string().nullish(),
  trajectory: z.looseObject({}).nullish(),
  response: z.looseObject({}).nullish(),
  messages: z.array(z.looseObject({ role: z.string() })).nullish(),
  steps: z.array(SolutionStep).nullish(),
  /** Text, a number, or anything else, such as `{"fields": {…}}`. */
  answer: z.unknown().optional(),
  evaluation: Evaluation.nullish(),
  moved_fields: MovedFields,
});
export type Solution = z.infer<typeof Solution>;

/** One line of a raw snapshot. */
export const RawRow = z.looseObject({
  task: Task,
  solutions: z.array(Solution),
  /** ISO 8601, UTC. */
  fetched_at: z.string(),
});
export type RawRow = z.infer<typeof RawRow>;
