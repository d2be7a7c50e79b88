import type { Trajectory } from "../atif/trajectory.ts";
import type { HarborTask } from "../harbor/task.ts";
import type { Redactor } from "../redact/redactor.ts";
import type { ReplayReport } from "../run/result.ts";
import type { RunSpec } from "../run/spec.ts";
import type { AgentEnd, AgentRef, ReferenceSolution, TaskRef, Usage } from "../run/trial.ts";
import type { Scenario } from "../scenario/scenario.ts";
import type { Clock } from "./clock.ts";
import type { ModelAccess } from "./model-access.ts";
import type { RecordedExchange } from "./model-client.ts";
import type { Sandbox, SandboxLayer } from "./sandbox.ts";

/** A task unpacked from its archive. */
export type LoadedTask = { kind: "harbor"; harbor: HarborTask } | { kind: "scenario"; scenario: Scenario };

/** Which trials an agent makes of a task: one for each entry, or none with the reason. */
export type TrialVariants = { references: readonly (ReferenceSolution | undefined)[] } | { excluded: string };

/** A cap that is reached: tokens, cost or time that ran out, or the agent's own number of turns. */
export interface ReachedCap {
  kind: "budget" | "turns";
  /** Names the cap and its key in the spec. */
  reason: string;
}

/** Counts what an attempt uses, and says when a cap is reached. */
export interface BudgetMeter {
  /** To be called before each request to a model. Counts a turn when there is room, else says which cap is reached. */
  admit(): ReachedCap | undefined;
  /** @throws TracemillError `budget-exceeded`, naming the cap. */
  spend(usage: Usage): void;
  /** The cap that ended the attempt, once one did. */
  readonly reached: ReachedCap | undefined;
}

/** Where a model is reached that is served for this run alone. */
export interface ModelEndpoint {
  /** Of an OpenAI-compatible API, without the slash at its end: `http://127.0.0.1:8000/v1`. */
  baseUrl: string;
  /** What the server calls the model. */
  model: string;
}

export interface AgentContext {
  agent: AgentRef;
  task: LoadedTask;
  /** The recorded solution to play, for trials that have one. */
  reference?: Trajectory;
  solutionId?: string;
  /** Absent for agents that need none. */
  sandbox?: Sandbox;
  /** Aborted when the attempt's time runs out or the run is cancelled. */
  signal: AbortSignal;
  /**
   * The attempt's models. Clients that come from here record their exchanges and hold the budget by themselves;
   * `upstream` is for agents that reach a model in another way, who do both by `record` and `budget`.
   */
  models: ModelAccess;
  budget: BudgetMeter;
  /** Values for `${NAME}` in the task's tables, from the run's spec. */
  env: Readonly<Record<string, string>>;
  /** The attempt's own: takes secrets out of what an agent has written by itself. Trajectory and exchanges pass it anyway. */
  redactor: Redactor;
  clock: Clock;
  /** Keeps one model exchange; redacted before it is written. */
  record(exchange: RecordedExchange): void;
  /** Says how to get the trajectory so far: it is kept also when `run` throws or has to be given up. */
  keepTrajectory(soFar: () => Trajectory): void;
}

export interface AgentResult {
  end: AgentEnd;
  trajectory: Trajectory;
  usage?: Usage;
  replay?: ReplayReport;
}

/**
 * Something that works on a task. It never verifies its own work.
 *
 * `run` returns how it ended; it throws only for failures that are not its own: `sandbox-failed`,
 * `model-failed`, `budget-exceeded`, `cancelled`. On an aborted signal it returns as soon as it can, with
 * the trajectory so far.
 */
export interface Agent {
  readonly name: string;
  readonly version: string;
  /** What gives its trials a reward: the task's own check, or the source's unchecked claim about the solution. */
  readonly decidedBy: "task" | "claim";
  /** Whether a model works for it. An entry in a spec that names none then has the policy's (`roles.policy`). */
  readonly takesModel?: boolean;
  /** Holds its entry in a spec against what it wants, before anything runs. @throws TracemillError `invalid-spec`. */
  check?(agent: AgentRef, spec: Pick<RunSpec, "models" | "providers" | "roles">): void;
  /**
   * Folders that its sandbox gets: programs that it runs there. Made once and kept; called before each sandbox.
   * @throws TracemillError `unsupported` (not for this machine), `sandbox-failed` (they cannot be had).
   */
  layers?(agent: AgentRef, signal: AbortSignal): Promise<readonly SandboxLayer[]>;
  /** Whether trials of this task need a sandbox for the agent's part. */
  needsSandbox(task: Pick<TaskRef, "kind" | "tools">): boolean;
  variants(task: TaskRef, agent: AgentRef): TrialVariants;
  run(context: AgentContext): Promise<AgentResult>;
}

/** Finds an agent by the name in a spec. @throws TracemillError `invalid-spec`, with a suggestion. */
export type AgentRegistry = (name: string) => Agent;
