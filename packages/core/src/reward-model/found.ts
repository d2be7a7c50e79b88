import * as z from "zod";
import { TaskRef } from "../run/trial.ts";
import { type Episode, RecordedEpisode } from "./episode.ts";

/** Why an episode is put aside. */
export const ProblemKind = z.enum([
  /** Not what the schema says. */
  "invalid",
  "no-steps",
  /** Step numbers have a gap, or begin above 1. */
  "missing-steps",
  /** A step number comes twice, or later than a higher one. */
  "repeated-steps",
  /** Some steps have a browser snapshot and others have none. */
  "missing-snapshot",
  /** Its evaluation is pending or under way. */
  "not-evaluated",
  /** Nothing says how good it was. A failure is not a zero. */
  "no-final-score",
  /** The score is a claim, and a real run of the same solution has decided. */
  "claim-was-checked",
  /** A trial that was begun and has not ended. */
  "not-ended",
  /** Its recording does not fit into memory. */
  "too-large",
]);
export type ProblemKind = z.infer<typeof ProblemKind>;

/** Where an episode came from. */
export const EpisodeOrigin = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("snapshot"),
    source: z.string(),
    snapshotId: z.string(),
    taskId: z.string(),
    solutionId: z.string(),
  }),
  z.strictObject({
    kind: z.literal("trial"),
    runId: z.string(),
    trialId: z.string(),
    attempt: z.number().int(),
    resultKey: z.string(),
    resultSha256: z.string(),
    taskHash: z.string(),
    task: TaskRef.shape.origin,
  }),
  z.strictObject({ kind: z.literal("run"), runId: z.string() }),
  z.strictObject({ kind: z.literal("file"), file: z.string(), line: z.number().int().min(1) }),
]);
export type EpisodeOrigin = z.infer<typeof EpisodeOrigin>;

/** The source whose task it is; empty for tasks from folders and for episode files. */
export function sourceOf(origin: EpisodeOrigin): string {
  if (origin.kind === "snapshot") return origin.source;
  return origin.kind === "trial" && origin.task.kind === "snapshot" ? origin.task.source : "";
}

export const EpisodeProblem = z.strictObject({
  kind: ProblemKind,
  reason: z.string(),
  origin: EpisodeOrigin,
});
export type EpisodeProblem = z.infer<typeof EpisodeProblem>;

/** One episode that an input holds, or why there is none. */
export type Found = { episode: Episode; origin: EpisodeOrigin } | { problem: EpisodeProblem };

/** Completes a recorded episode, or says what it lacks. */
export function foundEpisode(value: unknown, origin: EpisodeOrigin): Found {
  const parsed = RecordedEpisode.safeParse(value);
  if (!parsed.success) {
    const words = parsed.error.issues
      .slice(0, 3)
      .map(({ path, message }) => `\`${path.join(".")}\`: ${message}`);
    return aside("invalid", words.join("; "), origin);
  }
  const recorded = parsed.data;
  const flaw = flawOf(recorded);
  if (flaw !== undefined) return aside(flaw[0], flaw[1], origin);
  return { episode: completed(recorded), origin };
}

export function aside(kind: ProblemKind, reason: string, origin: EpisodeOrigin): Found {
  return { problem: { kind, reason, origin } };
}

type Flaw = [kind: ProblemKind, reason: string];

function flawOf({ steps, final_score: score }: RecordedEpisode): Flaw | undefined {
  if (steps.length === 0) return ["no-steps", "`steps` is empty"];
  return (
    flawOfNumbers(steps.map(({ index }) => index)) ??
    flawOfSnapshots(steps) ??
    (score === undefined ? ["no-final-score", "`final_score` is missing"] : undefined)
  );
}

/** Recordings count from 0 or from 1. */
function flawOfNumbers(indexes: readonly number[]): Flaw | undefined {
  let expected = indexes[0] === 1 ? 1 : 0;
  for (const index of indexes) {
    if (index > expected) return ["missing-steps", `step ${expected} is missing before step ${index}`];
    if (index < expected) return ["repeated-steps", `step ${index} comes again where ${expected} is due`];
    expected += 1;
  }
  return undefined;
}

function flawOfSnapshots(steps: RecordedEpisode["steps"]): Flaw | undefined {
  const bare = steps.filter(({ action_result: result }) => result.browser_snapshot === undefined);
  const [first] = bare;
  if (first === undefined || bare.length === steps.length) return undefined;
  return [
    "missing-snapshot",
    `${bare.length} of ${steps.length} steps have no browser snapshot, step ${first.index} first`,
  ];
}

function completed(recorded: RecordedEpisode): Episode {
  const { steps, final_score: score = 0, project_id: website = firstHost(steps), ...rest } = recorded;
  return {
    ...rest,
    ...(website === undefined ? {} : { project_id: website }),
    browser: steps.some(({ action_result: result }) => (result.browser_snapshot?.current_html ?? "") !== ""),
    steps: steps.map(({ action_result: { browser_snapshot: snapshot, ...result }, ...step }) => ({
      ...step,
      action_result: { ...result, browser_snapshot: snapshot ?? noBrowser(result.action, step.index) },
    })),
    final_score: score,
  };
}

function firstHost(steps: RecordedEpisode["steps"]): string | undefined {
  const addresses = steps.map(({ action_result: result }) => result.browser_snapshot?.current_url);
  return addresses.map(hostOf).find((host) => host !== undefined);
}

/** The host of an address, with its port; none for what is no address of a website. */
export function hostOf(address: unknown): string | undefined {
  if (typeof address !== "string" || !URL.canParse(address)) return undefined;
  return new URL(address).host || undefined;
}

function noBrowser(action: Episode["steps"][number]["action_result"]["action"], iteration: number) {
  return { iteration, action, prev_html: "", current_html: "", current_url: "" };
}
