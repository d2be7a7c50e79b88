import { TracemillError } from "@tracemill/core/errors.ts";
import type { Agent } from "@tracemill/core/ports/agent.ts";

/**
 * Takes a recorded solution as it is, with the source's own evaluation for its reward. Nothing is run, so
 * such rewards are marked as claims.
 */
export const recorded: Agent = {
  name: "recorded",
  version: "1",
  decidedBy: "claim",
  needsSandbox: () => false,
  variants: (task) => {
    const evaluated = task.references.filter(
      ({ claim }) => claim?.score !== undefined || claim?.status === "passed" || claim?.status === "failed",
    );
    return evaluated.length > 0
      ? { references: evaluated }
      : { excluded: "the source has no evaluated solution of it" };
  },
  run: async ({ reference }) => {
    if (reference === undefined) throw new TracemillError("invalid-task", "no recorded solution was given");
    return { end: { kind: "completed" }, trajectory: reference };
  },
};
