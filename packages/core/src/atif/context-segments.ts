import type { Step, Trajectory } from "./trajectory.ts";

/**
 * What an agent notes at a step after which its conversation goes on in another context: a summary in place of what was
 * said before. Harbor's key and values; `restated` says that the new context follows, whole, in the next steps.
 */
export const contextReplaced = {
  context_management: { type: "compaction", boundary: "replace", restated: true },
} as const;

/** The same where nobody knows what the new context is. */
export const contextCompacted = {
  context_management: { type: "compaction", boundary: "replace" },
} as const;

function beginsContext({ source, extra }: Step): boolean {
  const { context_management: note } = (extra ?? {}) as { context_management?: { restated?: unknown } };
  return source === "system" && note?.restated === true;
}

/**
 * The conversations that a model really had, one after the other: a trajectory whose context was replaced is several of
 * them, each whole from its first message. Steps keep their numbers; the ones that only note a replacement are left out.
 */
export function contextSegments(trajectory: Trajectory): Trajectory[] {
  const segments: Step[][] = [[]];
  for (const step of trajectory.steps) {
    if (beginsContext(step)) segments.push([]);
    else segments.at(-1)?.push(step);
  }
  if (segments.length === 1) return [trajectory];
  return segments.filter((steps) => steps.length > 0).map((steps) => ({ ...trajectory, steps }));
}
