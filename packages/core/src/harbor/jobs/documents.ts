import * as z from "zod";

/**
 * What Harbor 0.24 and 0.25 write into job folders, as far as an import reads it, and what older versions wrote in
 * its place. Unknown keys pass; a key of another type than expected reads as absent where the rest stands without it.
 */

function maybe<S extends z.ZodType>(schema: S) {
  return schema
    .nullish()
    .catch(undefined)
    .transform((value) => value ?? undefined);
}

const text = maybe(z.string());
const count = maybe(z.number().int().min(0));
const cost = maybe(z.number().min(0));

const Timing = maybe(z.looseObject({ started_at: text, finished_at: text }));
export type Timing = z.infer<typeof Timing>;

const AgentContext = maybe(
  z.looseObject({
    n_input_tokens: count,
    n_cache_tokens: count,
    n_output_tokens: count,
    cost_usd: cost,
    metadata: maybe(z.record(z.string(), z.unknown())),
  }),
);
export type AgentContext = z.infer<typeof AgentContext>;

const VerifierResult = maybe(
  z.looseObject({
    /** A number that is not finite is written as null. */
    rewards: maybe(z.record(z.string(), z.unknown())),
    /** Before there were several: one number. */
    reward: z.unknown().optional(),
  }),
);

const ExceptionInfo = maybe(
  z.looseObject({
    exception_type: z.string().min(1),
    exception_message: z.string().catch(""),
    occurred_at: text,
  }),
);
export type ExceptionInfo = NonNullable<z.infer<typeof ExceptionInfo>>;

const StepResult = z.looseObject({
  step_name: z.string(),
  agent_result: AgentContext,
  exception_info: ExceptionInfo,
  agent_execution: Timing,
  verifier: Timing,
});

const TaskId = maybe(
  z.looseObject({
    path: text,
    git_url: text,
    git_commit_id: text,
    org: text,
    name: text,
    ref: text,
  }),
);
export type TaskId = NonNullable<z.infer<typeof TaskId>>;

const AgentConfig = maybe(
  z.looseObject({
    name: text,
    model_name: text,
    kwargs: maybe(z.record(z.string(), z.unknown())),
  }),
);
export type AgentConfig = z.infer<typeof AgentConfig>;

/** `<trial>/result.json`. */
export const TrialResultFile = z.looseObject({
  task_name: z.string().min(1),
  trial_name: text,
  task_id: TaskId,
  source: text,
  task_checksum: text,
  config: maybe(
    z.looseObject({
      job_id: text,
      agent: AgentConfig,
      verifier: maybe(z.looseObject({ disable: maybe(z.boolean()) })),
      install_only: maybe(z.boolean()),
    }),
  ),
  agent_info: z.looseObject({
    name: z.string().min(1),
    model_info: maybe(z.looseObject({ name: z.string().min(1), provider: text })),
  }),
  agent_result: AgentContext,
  verifier_result: VerifierResult,
  exception_info: ExceptionInfo,
  started_at: text,
  finished_at: text,
  environment_setup: Timing,
  agent_setup: Timing,
  agent_execution: Timing,
  verifier: Timing,
  step_results: maybe(z.array(StepResult)),
});
export type TrialResultFile = z.infer<typeof TrialResultFile>;

/** `<trial>/lock.json`, since 0.20 or so. */
export const TrialLockFile = z.looseObject({
  task: maybe(z.looseObject({ digest: maybe(z.string().regex(/^sha256:[0-9a-f]{64}$/)) })),
});

/** `<job>/result.json`. */
export const JobResultFile = z.looseObject({
  id: text,
  started_at: text,
  finished_at: text,
  n_total_trials: count,
});
export type JobResultFile = z.infer<typeof JobResultFile>;

/** `<job>/config.json`. */
export const JobConfigFile = z.looseObject({
  job_name: text,
  n_attempts: count,
  n_concurrent_trials: count,
  retry: maybe(z.looseObject({ max_retries: count })),
  agents: maybe(z.array(AgentConfig)),
});
export type JobConfigFile = z.infer<typeof JobConfigFile>;
