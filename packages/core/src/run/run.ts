import * as z from "zod";

const Timestamp = z.iso.datetime();

const base = {
  schemaVersion: z.literal(1),
  runId: z.string(),
  name: z.string(),
  /** SHA-256 of the resolved spec's canonical JSON. */
  specHash: z.string(),
  createdAt: Timestamp,
};

/** A run's row in the record store. */
export const RunRecord = z.discriminatedUnion("status", [
  /** Being worked on, or interrupted: `tracemill run --resume` goes on with it. */
  z.strictObject({ ...base, status: z.literal("running") }),
  z.strictObject({
    ...base,
    status: z.literal("stopped"),
    stoppedAt: Timestamp,
    reason: z.string(),
  }),
  z.strictObject({
    ...base,
    status: z.literal("finished"),
    finishedAt: Timestamp,
    /** Key prefix of the exported dataset, when the spec asked for one. */
    dataset: z.string().optional(),
  }),
]);
export type RunRecord = z.infer<typeof RunRecord>;
