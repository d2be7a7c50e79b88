import * as z from "zod";
import { parseAs } from "../validation.ts";
import { isTimestamp } from "./timestamp.ts";

/**
 * ATIF, Harbor's format of an agent's trajectory, versions 1.0 to 1.8. Unknown keys are refused everywhere
 * but in `extra`. A key given as null reads as an absent one.
 */

function optional<S extends z.ZodType>(schema: S) {
  return schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();
}

/** A key that this kind of content must not have; null is let through, as Harbor does. */
const absent = z
  .null()
  .optional()
  .transform(() => undefined)
  .optional();

const count = z.number().int();
const extra = optional(z.record(z.string(), z.unknown()));

const ImageSource = z.strictObject({
  media_type: z.enum(["image/jpeg", "image/png", "image/gif", "image/webp"]),
  /** File path or URL. */
  path: z.string(),
});

/** Common spellings of the registered types. */
const AUDIO_ALIASES: Record<string, string> = {
  "audio/mp3": "audio/mpeg",
  "audio/mpga": "audio/mpeg",
  "audio/x-mpeg": "audio/mpeg",
  "audio/x-wav": "audio/wav",
  "audio/wave": "audio/wav",
  "audio/vnd.wave": "audio/wav",
  "audio/x-m4a": "audio/mp4",
  "audio/m4a": "audio/mp4",
  "audio/x-aac": "audio/aac",
  "audio/x-flac": "audio/flac",
  "audio/x-aiff": "audio/aiff",
};

const AudioSource = z.strictObject({
  media_type: z.preprocess(
    (value) => {
      const type = typeof value === "string" ? value.trim().toLowerCase() : value;
      return (typeof type === "string" && AUDIO_ALIASES[type]) || type;
    },
    z.enum([
      "audio/wav",
      "audio/mpeg",
      "audio/mp4",
      "audio/aac",
      "audio/ogg",
      "audio/flac",
      "audio/webm",
      "audio/aiff",
    ]),
  ),
  path: z.string(),
  duration_sec: optional(z.number().min(0)),
});

export const ContentPart = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: z.string(), source: absent }),
  z.strictObject({ type: z.literal("image"), source: ImageSource, text: absent }),
  z.strictObject({ type: z.literal("audio"), source: AudioSource, text: absent }),
]);
export type ContentPart = z.infer<typeof ContentPart>;

const Content = z.union([z.string(), z.array(ContentPart)]);
export type Content = z.infer<typeof Content>;

const SubagentRef = z
  .strictObject({
    trajectory_id: optional(z.string()),
    /** For people only: several trajectories may share it. */
    session_id: optional(z.string()),
    trajectory_path: optional(z.string()),
    extra,
  })
  .refine((ref) => ref.trajectory_id !== undefined || ref.trajectory_path !== undefined, {
    path: ["trajectory_id"],
    message: "needed, or else `trajectory_path`: a session id alone does not say which trajectory",
  });

export const ObservationResult = z.strictObject({
  /** A `tool_call_id` of the same step. Absent: what came back is no tool's answer. */
  source_call_id: optional(z.string()),
  content: optional(Content),
  subagent_trajectory_ref: optional(z.array(SubagentRef)),
  extra,
});
export type ObservationResult = z.infer<typeof ObservationResult>;

export const ToolCall = z.strictObject({
  tool_call_id: z.string(),
  function_name: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  extra,
});
export type ToolCall = z.infer<typeof ToolCall>;

export const Metrics = z.strictObject({
  /** Includes cached tokens. */
  prompt_tokens: optional(count),
  completion_tokens: optional(count),
  cached_tokens: optional(count),
  cost_usd: optional(z.number()),
  prompt_token_ids: optional(z.array(count)),
  completion_token_ids: optional(z.array(count)),
  logprobs: optional(z.array(z.number())),
  extra,
});
export type Metrics = z.infer<typeof Metrics>;

export const Step = z
  .strictObject({
    /** 1, 2, 3, … */
    step_id: z.number().int().min(1),
    /** ISO 8601. */
    timestamp: optional(z.string().refine(isTimestamp, "not an ISO 8601 time")),
    source: z.enum(["system", "user", "agent"]),
    model_name: optional(z.string()),
    reasoning_effort: optional(z.union([z.string(), z.number()])),
    message: Content,
    reasoning_content: optional(z.string()),
    tool_calls: optional(z.array(ToolCall)),
    observation: optional(z.strictObject({ results: z.array(ObservationResult) })),
    metrics: optional(Metrics),
    /** Context from before this trajectory: not for training. */
    is_copied_context: optional(z.boolean()),
    /** 0: the step was dispatched by a program, not by a model. */
    llm_call_count: optional(z.number().int().min(0)),
    extra,
  })
  .superRefine(checkStep);
export type Step = z.infer<typeof Step>;

const AGENT_ONLY = ["model_name", "reasoning_effort", "reasoning_content", "tool_calls", "metrics"] as const;
const MODEL_ONLY = ["metrics", "reasoning_content"] as const;

function checkStep(step: Record<string, unknown> & { source: string }, context: z.RefinementCtx): void {
  const refuse = (keys: readonly string[], message: string) => {
    for (const key of keys) {
      if (step[key] !== undefined) context.addIssue({ code: "custom", path: [key], message });
    }
  };
  if (step.source !== "agent")
    refuse(AGENT_ONLY, `only a step of the agent has it; this one's source is ${step.source}`);
  else if (step.llm_call_count === 0) refuse(MODEL_ONLY, "a step with llm_call_count 0 has none");
}

const Agent = z.strictObject({
  name: z.string(),
  version: z.string(),
  model_name: optional(z.string()),
  /** OpenAI tool objects. */
  tool_definitions: optional(z.array(z.record(z.string(), z.unknown()))),
  extra,
});

const FinalMetrics = z.strictObject({
  total_prompt_tokens: optional(count),
  total_completion_tokens: optional(count),
  total_cached_tokens: optional(count),
  total_cost_usd: optional(z.number()),
  total_steps: optional(z.number().int().min(0)),
  extra,
});

export const Trajectory = z
  .strictObject({
    schema_version: z
      .enum(["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8"].map((v) => `ATIF-v${v}` as const))
      .default("ATIF-v1.8"),
    /** Names the run; several trajectories may share it. */
    session_id: optional(z.string()),
    /** Names this document. */
    trajectory_id: optional(z.string()),
    agent: Agent,
    steps: z.array(Step).min(1, "needs at least one step"),
    notes: optional(z.string()),
    final_metrics: optional(FinalMetrics),
    continued_trajectory_ref: optional(z.string()),
    extra,
    get subagent_trajectories() {
      return optional(z.array(Trajectory));
    },
  })
  .superRefine((trajectory, context) => {
    checkSteps(trajectory.steps, context);
    checkSubagents(trajectory.subagent_trajectories ?? [], context);
  });
export type Trajectory = z.infer<typeof Trajectory>;

/**
 * Parses a trajectory; `where` names the document in errors.
 * @throws TracemillError `invalid-trajectory`, naming the field.
 */
export function parseTrajectory(value: unknown, where: string): Trajectory {
  return parseAs(Trajectory, value, where, "invalid-trajectory");
}

function checkSteps(steps: readonly Step[], context: z.RefinementCtx): void {
  for (const [index, step] of steps.entries()) {
    const path = ["steps", index];
    if (step.step_id !== index + 1) {
      const message = `expected ${index + 1}, not ${step.step_id}: steps are numbered from 1 without gaps`;
      context.addIssue({ code: "custom", path: [...path, "step_id"], message });
    }
    const calls = new Set(step.tool_calls?.map((call) => call.tool_call_id));
    for (const [at, { source_call_id: id }] of (step.observation?.results ?? []).entries()) {
      if (id === undefined || calls.has(id)) continue;
      const message = `no tool call of this step has the id "${id}"`;
      context.addIssue({
        code: "custom",
        path: [...path, "observation", "results", at, "source_call_id"],
        message,
      });
    }
  }
}

function checkSubagents(
  subagents: readonly { trajectory_id?: string | undefined }[],
  context: z.RefinementCtx,
): void {
  const seen = new Set<string>();
  for (const [index, { trajectory_id: id }] of subagents.entries()) {
    const path = ["subagent_trajectories", index, "trajectory_id"];
    if (id === undefined)
      context.addIssue({ code: "custom", path, message: "needed in a subagent's trajectory" });
    else if (seen.has(id)) context.addIssue({ code: "custom", path, message: `"${id}" comes twice` });
    else seen.add(id);
  }
}
