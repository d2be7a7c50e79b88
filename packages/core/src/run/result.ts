import * as z from "zod";
import { Outcome, OutcomeKind } from "./outcome.ts";
import { AgentEnd, Redactions, SandboxDescription, Timings, Trial, Usage } from "./trial.ts";

const Timestamp = z.iso.datetime();

/** Where live observations differed from the recorded ones. */
export const ReplayReport = z.strictObject({
  solutionId: z.string(),
  /** Recorded tool calls. */
  calls: z.number().int(),
  /** Observations equal after white-space is normalised. */
  same: z.number().int(),
  /** Calls whose tool does not exist here; they were answered with an error. */
  unavailable: z.number().int(),
  /** The first 20 differences; texts cut to 2,000 characters. */
  differences: z.array(
    z.strictObject({
      stepId: z.number().int(),
      toolCallId: z.string(),
      tool: z.string(),
      recorded: z.string(),
      live: z.string(),
    }),
  ),
});
export type ReplayReport = z.infer<typeof ReplayReport>;

/** One run of the verifier over an attempt's workspace. */
export const Verification = z.strictObject({
  startedAt: Timestamp,
  endedAt: Timestamp,
  outcome: OutcomeKind,
  reason: z.string().optional(),
  exitCode: z.number().int().optional(),
  /** The verifier's stdout and stderr, at most 64 KiB each (first and last halves). */
  stdout: z.string().optional(),
  stderr: z.string().optional(),
  sandbox: SandboxDescription.optional(),
  /** Changes of the agent that were not carried into the verifier's sandbox, and why. */
  notCarried: z.array(z.strictObject({ path: z.string(), reason: z.string() })),
});
export type Verification = z.infer<typeof Verification>;

/** An attempt's whole record: `runs/<runId>/trials/<trialId>/<attempt>/result.json`. */
export const AttemptResult = z.strictObject({
  schemaVersion: z.literal(1),
  runId: z.string(),
  attempt: z.number().int().min(1),
  trial: Trial,
  startedAt: Timestamp,
  endedAt: Timestamp,
  outcome: Outcome,
  decidedBy: z.enum(["tests", "answer", "claim", "none"]),
  /** Absent when the attempt ended before its agent did. */
  agentEnd: AgentEnd.optional(),
  usage: Usage.optional(),
  timings: Timings,
  sandbox: SandboxDescription.optional(),
  verifications: z.array(Verification),
  replay: ReplayReport.optional(),
  /** Whether the source's claim about the played solution held; absent when it made none. */
  claim: z
    .strictObject({
      status: z.enum(["passed", "failed", "partial"]),
      /** True: a real run came to the same verdict. */
      holds: z.boolean(),
    })
    .optional(),
  /** How many secrets were taken out of everything that is kept of this attempt, by kind. */
  redactions: Redactions.optional(),
  /** Files of the workspace that held some; the first 20. */
  redactedFiles: z.array(z.string()).optional(),
  /** Keys of this attempt's other objects. */
  objects: z.strictObject({
    trajectory: z.string().optional(),
    exchanges: z.string().optional(),
    artifacts: z.string().optional(),
  }),
});
export type AttemptResult = z.infer<typeof AttemptResult>;
