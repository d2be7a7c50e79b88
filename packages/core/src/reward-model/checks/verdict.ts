import * as z from "zod";

/** What the recording says of a check. */
export const Verdict = z.discriminatedUnion("verdict", [
  z.object({
    verdict: z.literal("holds"),
    /** Index of the step that shows it, and what it shows. */
    step: z.number().int(),
    evidence: z.string(),
  }),
  z.object({ verdict: z.literal("fails"), evidence: z.string() }),
  /** The recording cannot decide it. */
  z.object({
    verdict: z.literal("unknown"),
    reason: z.enum([
      "not-a-known-kind",
      "no-browser",
      "no-events-recorded",
      "nothing-to-look-for",
      "selector-not-understood",
      /** A click at a point, or one whose selector is in a form that is not understood. */
      "action-not-understood",
      "criteria-not-understood",
      "page-not-understood",
    ]),
  }),
]);
export type Verdict = z.infer<typeof Verdict>;

/** A check, what its source claims of it, and what the recording says. */
export type Recheck = { name: string; claimed?: boolean; step?: number } & { found: Verdict };

export function unknown(reason: Extract<Verdict, { verdict: "unknown" }>["reason"]): Verdict {
  return { verdict: "unknown", reason };
}
