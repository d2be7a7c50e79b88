import * as z from "zod";
import { Outcome } from "./outcome.ts";

const Timestamp = z.iso.datetime();

/** Names an agent and everything that changes what it does. */
export const AgentRef = z.strictObject({
  name: z.string().min(1),
  /** `provider/model`; absent for agents that need none. */
  model: z.string().optional(),
  /** Options of the agent itself. */
  options: z.record(z.string(), z.unknown()).optional(),
});
export type AgentRef = z.infer<typeof AgentRef>;

/** A recorded solution kept as a reference trajectory. */
export const ReferenceSolution = z.strictObject({
  solutionId: z.string(),
  /** Object key of the ATIF trajectory, `references/<sha256>.json`. */
  trajectoryKey: z.string(),
  agent: z.string().optional(),
  model: z.string().optional(),
  /** What the source claimed; absent when it had not evaluated. */
  claim: z
    .strictObject({
      status: z.enum(["pending", "evaluating", "passed", "failed", "partial"]),
      score: z.number().optional(),
      verdict: z.string().optional(),
    })
    .optional(),
});
export type ReferenceSolution = z.infer<typeof ReferenceSolution>;

/** Demands of a task beyond a Linux file system, a shell, and network or none. */
export const TaskNeed = z.enum([
  "image",
  "gpu",
  "network-allowlist",
  "windows",
  "multi-step",
  "mcp-server",
  "compose",
  "user",
  "no-network",
  "verifier-environment",
]);
export type TaskNeed = z.infer<typeof TaskNeed>;

/** A task as a run sees it. */
export const TaskRef = z.strictObject({
  /** Content hash: 64 hex digits. The archive is `tasks/<hash>.tar.zst`. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  kind: z.enum(["harbor", "scenario"]),
  name: z.string(),
  /** Tasks of one group never fall into different splits. */
  group: z.string(),
  /** Hash of what the sandbox is built from; trials that share it share a shard. */
  environment: z.string(),
  /** Where it came from: a folder, or a row of a snapshot. */
  origin: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("folder"), path: z.string() }),
    z.strictObject({
      kind: z.literal("snapshot"),
      source: z.string(),
      snapshotId: z.string(),
      taskId: z.string(),
    }),
  ]),
  hasSolution: z.boolean(),
  /** How a result is decided: the task's own tests, an expected answer, or nothing. */
  decidedBy: z.enum(["tests", "answer", "none"]),
  /** Tools that the task offers a model, by name. */
  tools: z.array(z.string()),
  /** What the task asks for that not every sandbox has; a plan leaves it out where it cannot be honoured. */
  needs: z.array(TaskNeed).default([]),
  references: z.array(ReferenceSolution),
});
export type TaskRef = z.infer<typeof TaskRef>;

/** One agent on one task, once. `attempts: 3` in a spec makes three trials; a retry makes another attempt. */
export const Trial = z.strictObject({
  trialId: z.string(),
  task: TaskRef.omit({ references: true }),
  agent: AgentRef,
  /** 0-based, below the spec's `attempts`. */
  sample: z.number().int().min(0),
  /** Which recorded solution is played, for agents that play one. */
  reference: ReferenceSolution.optional(),
});
export type Trial = z.infer<typeof Trial>;

export const Usage = z.strictObject({
  /** Includes cached tokens. */
  promptTokens: z.number().int().min(0),
  completionTokens: z.number().int().min(0),
  cachedTokens: z.number().int().min(0),
  /** Of the prompt tokens, those that a provider wrote to its cache, where it says so: some charge more for them. */
  cacheWriteTokens: z.number().int().min(0).optional(),
  /** US dollars; absent when no price is known. */
  costUsd: z.number().min(0).optional(),
});
export type Usage = z.infer<typeof Usage>;

/** Who holds a trial, and until when. */
export const Lease = z.strictObject({
  owner: z.string(),
  /** Milliseconds since the epoch. */
  until: z.number().int(),
});
export type Lease = z.infer<typeof Lease>;

/** How an attempt's sandbox isolated it. */
export const SandboxDescription = z.strictObject({
  sandbox: z.string(),
  base: z.string(),
  isolation: z.array(z.string()),
  network: z.enum(["none", "host", "allowlist"]),
  environment: z.string(),
  refusedHosts: z.array(z.string()).optional(),
});

/** How the agent's part ended, before anything was verified. */
export const AgentEnd = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("completed") }),
  z.strictObject({
    kind: z.literal("agent-failed"),
    failure: z.enum(["timeout", "context-limit", "output-limit", "turn-limit", "refusal", "error"]),
    reason: z.string().min(1),
  }),
]);
export type AgentEnd = z.infer<typeof AgentEnd>;

/** One line of a trial's history in the record store; the whole story is in the object store. */
export const AttemptSummary = z.strictObject({
  /** 1-based. */
  attempt: z.number().int().min(1),
  startedAt: Timestamp,
  endedAt: Timestamp,
  outcome: Outcome,
  usage: Usage.optional(),
  /** What decided the reward: the tests in a fresh sandbox, a compared answer, or the source's unchecked claim. */
  decidedBy: z.enum(["tests", "answer", "claim", "none"]),
});
export type AttemptSummary = z.infer<typeof AttemptSummary>;

/** Milliseconds. */
export const Timings = z.strictObject({
  environmentMs: z.number(),
  agentMs: z.number(),
  verifierMs: z.number(),
});
export type Timings = z.infer<typeof Timings>;

/** Secrets that were taken out, by kind. */
export const Redactions = z.record(z.string(), z.number().int().positive());
export type Redactions = z.infer<typeof Redactions>;

/** What the agent's part of an attempt left for its verification. */
export const Trace = z.strictObject({
  agentEnd: AgentEnd,
  /** Whether the agent gave a scenario's expected answer: what is stored may no longer say so, had it the form of a secret. */
  isAnswered: z.boolean().optional(),
  usage: Usage.optional(),
  timings: Timings,
  sandbox: SandboxDescription.optional(),
  /** How many secrets were taken out before anything was stored, by kind. */
  redactions: Redactions.optional(),
  /** Files of the workspace that held some: what is verified is not what the agent left. The first 20. */
  redactedFiles: z.array(z.string()).optional(),
  /** Keys of the objects that were stored. */
  objects: z.strictObject({
    trajectory: z.string(),
    exchanges: z.string().optional(),
    /** Absent when the agent changed nothing. */
    artifacts: z.string().optional(),
  }),
});
export type Trace = z.infer<typeof Trace>;

const base = {
  schemaVersion: z.literal(1),
  trialId: z.string(),
  /** Ended attempts, oldest first. */
  attempts: z.array(AttemptSummary),
};

/** A trial's row in the record store. A trial that nobody has begun has no row. */
export const TrialRecord = z.discriminatedUnion("status", [
  /** An agent is at work, or was when its process died. */
  z.strictObject({
    ...base,
    status: z.literal("tracing"),
    attempt: z.number().int().min(1),
    startedAt: Timestamp,
    lease: Lease,
    /** What it had used when the lease was last renewed: all that is known of an attempt whose process dies. */
    usage: Usage.optional(),
  }),
  /** The agent is done and its workspace stored; verification may be under way under `lease`. */
  z.strictObject({
    ...base,
    status: z.literal("traced"),
    attempt: z.number().int().min(1),
    startedAt: Timestamp,
    trace: Trace,
    lease: Lease.optional(),
  }),
  /** Between attempts: the last one ended without a valid outcome and the policy grants another. */
  z.strictObject({ ...base, status: z.literal("waiting") }),
  z.strictObject({ ...base, status: z.literal("ended"), endedAt: Timestamp }),
]);
export type TrialRecord = z.infer<typeof TrialRecord>;
