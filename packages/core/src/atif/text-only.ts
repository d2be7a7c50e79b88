import { TracemillError } from "../errors.ts";
import type { Content, Step, Trajectory } from "./trajectory.ts";

/**
 * Refuses a trajectory that text alone cannot tell: an export must not drop a picture or a sound unseen.
 * @throws TracemillError `unsupported`, naming the step and the part.
 */
export function assertTextOnly(trajectory: Trajectory): void {
  for (const step of trajectory.steps) {
    const kind = mediaOf(step);
    if (kind === undefined) continue;
    throw new TracemillError(
      "unsupported",
      `step ${step.step_id} has content of type ${kind}, and this export holds text alone; leave the trial out of it`,
      { context: { stepId: step.step_id, kind } },
    );
  }
}

function mediaOf(step: Step): string | undefined {
  const results = step.observation?.results ?? [];
  const contents = [step.message, ...results.map((result) => result.content ?? "")];
  const parts = contents.flatMap((content) => (typeof content === "string" ? [] : content));
  const unconverted = [step, ...results].flatMap(({ extra }) => partTypes(extra?.unconverted));
  return parts.find((part) => part.type !== "text")?.type ?? unconverted[0];
}

/** Parts that no converter understood (see `sourceContent`) may be anything. */
function partTypes(unconverted: unknown): string[] {
  if (!Array.isArray(unconverted)) return [];
  return unconverted.map((part: { type?: unknown } | null) => String(part?.type ?? "unknown"));
}

/** All text of a content, its parts joined by a line end. */
export function allText(content: Content | undefined): string {
  if (content === undefined || typeof content === "string") return content ?? "";
  return content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
}
