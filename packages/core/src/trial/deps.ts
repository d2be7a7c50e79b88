import type { AgentRegistry, ModelEndpoint } from "../ports/agent.ts";
import type { Clock } from "../ports/clock.ts";
import type { ModelAccess } from "../ports/model-access.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { SandboxProvider } from "../ports/sandbox.ts";
import type { Scratch } from "../ports/scratch.ts";
import type { ScanningRedactor } from "../redact/scanning-redactor.ts";
import type { Outcome } from "../run/outcome.ts";
import type { RunSpec } from "../run/spec.ts";
import type { Usage } from "../run/trial.ts";
import type { RunBudget } from "./budget.ts";
import type { TaskLoader } from "./load-task.ts";

/** Who this process is among those that may work on a run. */
export interface Owner {
  /** Unique to this process. */
  id: string;
  /** True only when it is certain that the process of that id is gone; its leases may then be taken at once. */
  isGone(ownerId: string): boolean;
  /**
   * How often it renews its leases, in milliseconds; default 20,000. Where every write is paid for and `isGone` knows
   * most of the dead, less often.
   */
  heartbeatMs?: number;
}

export type TrialEvent =
  /** A trial that was done before this process came to it. */
  | { type: "trial-found-ended"; trialId: string }
  | { type: "attempt-started"; trialId: string; task: string; agent: string; attempt: number }
  /** The agent is done and its work stored; verification is next. */
  | { type: "attempt-traced"; trialId: string; usage?: Usage }
  | {
      type: "attempt-ended";
      trialId: string;
      task: string;
      agent: string;
      attempt: number;
      outcome: Outcome;
      /** Whether the trial gets no further attempt. */
      final: boolean;
      usage?: Usage;
    };

export interface TrialDeps {
  runId: string;
  spec: RunSpec;
  objects: ObjectStore;
  records: RecordStore;
  sandboxes: SandboxProvider;
  agents: AgentRegistry;
  models: ModelAccess;
  /** A redactor of its own for each attempt, as the spec's `redact` says. */
  redactor(): ScanningRedactor;
  /** For exchanges while an attempt goes on. */
  scratch: Scratch;
  tasks: TaskLoader;
  budget: RunBudget;
  clock: Clock;
  owner: Owner;
  /** Trials that ended without a valid outcome before this moment (ms since the epoch) are begun again. */
  reopenBefore?: number;
  /**
   * The server of a model that this process serves; `undefined` for other models. Waits while the server starts, and
   * rejects when the signal is aborted.
   */
  modelEndpoint?(model: string, signal: AbortSignal): Promise<ModelEndpoint | undefined>;
  /** Stop at once: attempts in flight end as `cancelled`. */
  signal: AbortSignal;
  /** Begin nothing new. */
  draining: AbortSignal;
  onEvent(event: TrialEvent): void;
}

/** What a call did for a trial, or why it did nothing. */
export type TrialProgress =
  /** Its agent's part is stored; verification is next. */
  | "traced"
  /** Nothing is left to do. */
  | "ended"
  /** Another process holds its lease. */
  | "busy"
  /** Not begun, since the run is stopping. */
  | "skipped";
