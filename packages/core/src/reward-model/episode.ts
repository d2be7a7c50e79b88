import * as z from "zod";

/**
 * `EvaluationEpisode`, the unit of reward-model data: what an agent did step by step, what the browser showed, and
 * the score that it got. The names are those of autoppia_iwa's reward-model package, whose tools read what we write.
 *
 * One schema for what others send and what we write: unknown keys are dropped, null reads as absent.
 */

function optional<S extends z.ZodType>(schema: S) {
  return schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();
}

const Fields = z.record(z.string(), z.unknown());
const fields = Fields.nullish().transform((value) => value ?? {});

export const BackendEvent = z.object({
  event_name: z.string().min(1),
  payload: fields,
  /** Seconds, or ISO 8601. */
  timestamp: optional(z.union([z.number(), z.string()])),
});
export type BackendEvent = z.infer<typeof BackendEvent>;

export const EpisodeAction = z.object({
  /** `click`, `type`, `navigate`; for tools their name. */
  kind: z.string().min(1),
  args: fields,
});
export type EpisodeAction = z.infer<typeof EpisodeAction>;

/** What the browser showed after an action. */
export const BrowserSnapshot = z.object({
  iteration: z.number().int(),
  action: EpisodeAction,
  prev_html: z.string(),
  current_html: z.string(),
  /** A data URL, or a reference to a stored artifact. */
  screenshot_before: optional(z.string()),
  screenshot_after: optional(z.string()),
  /** All that the website's backend has said up to here. Absent: nobody recorded it. */
  backend_events: optional(z.array(BackendEvent)),
  backend_events_before: optional(z.array(BackendEvent)),
  /** Events of the page itself; `event_type` names the kind. */
  js_events: optional(z.array(Fields)),
  timestamp: optional(z.string()),
  current_url: z.string(),
});
export type BrowserSnapshot = z.infer<typeof BrowserSnapshot>;

/** A check and what its source says of it. */
export const EpisodeCheck = z.object({
  /** `backend_event:NAME`, `dom:NAME`, or any other. */
  name: z.string().min(1),
  passed: optional(z.boolean()),
  value: z.unknown().optional(),
  details: fields,
});
export type EpisodeCheck = z.infer<typeof EpisodeCheck>;

const actionResult = {
  action: EpisodeAction,
  action_event: z.string(),
  successfully_executed: z.boolean(),
  error: optional(z.string()),
  /** Seconds. */
  execution_time: optional(z.number()),
};

const step = {
  index: z.number().int().min(0),
  tests: z
    .array(EpisodeCheck)
    .nullish()
    .transform((value) => value ?? []),
  /** What came back from a tool, for steps without a browser. */
  observation: optional(z.string()),
};

const EvaluationTest = z.object({ name: optional(z.string()), success: z.boolean() });

const episode = {
  /** Unique over all inputs of a dataset. */
  episode_id: z.string().min(1),
  /** The website. */
  project_id: optional(z.string()),
  task_id: optional(z.string()),
  /** Tasks of one group never fall into different splits. */
  group: optional(z.string()),
  /** What the agent was asked. */
  instruction: optional(z.string()),
  agent: optional(z.string()),
  model: optional(z.string()),
  /** Before it was made into `final_score`; default: the same. */
  raw_score: optional(z.number()),
  evaluation_tests: optional(z.array(EvaluationTest)),
  /** Checks of the whole episode. */
  checks: optional(z.array(EpisodeCheck)),
  /** What the score rests on; absent: the recording does not say. */
  decided_by: optional(z.enum(["tests", "answer", "claim", "none"])),
};

/** An episode as it was recorded: it may lack snapshots and a score. */
export const RecordedEpisode = z.object({
  ...episode,
  steps: z.array(
    z.object({
      ...step,
      action_result: z.object({ ...actionResult, browser_snapshot: optional(BrowserSnapshot) }),
    }),
  ),
  final_score: optional(z.number()),
});
export type RecordedEpisode = z.infer<typeof RecordedEpisode>;

/** A whole episode: every step has a snapshot, steps are numbered without gaps, and there is a score. */
export const Episode = z.object({
  ...episode,
  /** False: no browser was recorded; then HTML and URLs are empty. */
  browser: z.boolean(),
  steps: z
    .array(
      z.object({ ...step, action_result: z.object({ ...actionResult, browser_snapshot: BrowserSnapshot }) }),
    )
    .min(1),
  /** 0 to 1 as a rule; above 0.5 counts as a success. */
  final_score: z.number(),
});
export type Episode = z.infer<typeof Episode>;
export type EpisodeStep = Episode["steps"][number];

/** `<episode>_<index>`: names a step in every table. */
export function stepId(episodeId: string, { index }: Pick<EpisodeStep, "index">): string {
  return `${episodeId}_${index}`;
}

/** Strictly above one half, as the original has it. */
export function isSuccess({ final_score: score }: Pick<Episode, "final_score">): boolean {
  return score > 0.5;
}
