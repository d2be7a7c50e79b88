import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import type { LoadedTask } from "@tracemill/core/ports/agent.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";

export type Step = Trajectory["steps"][number];
export type NewStep = Step extends infer S ? (S extends Step ? Omit<S, "step_id"> : never) : never;

/** Grows an ATIF trajectory step by step; a snapshot of it is valid at any time after the first step. */
export class TrajectoryBuilder {
  readonly #steps: Step[] = [];
  readonly #agent: Trajectory["agent"];
  readonly #clock: Pick<Clock, "now">;

  constructor(agent: Trajectory["agent"], clock: Pick<Clock, "now">) {
    this.#agent = agent;
    this.#clock = clock;
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Adds a step, numbered and with the present time when it has none. */
  add(step: NewStep): Step {
    const timestamp = step.timestamp ?? new Date(this.#clock.now()).toISOString();
    const added = { ...step, step_id: this.#steps.length + 1, timestamp } as Step;
    this.#steps.push(added);
    return added;
  }

  build(): Trajectory {
    return { schema_version: "ATIF-v1.8", agent: this.#agent, steps: [...this.#steps] };
  }
}

/** What an agent is told to do: a Harbor task's instruction, or a scenario's request. */
export function instructionOf(task: LoadedTask): string {
  if (task.kind === "harbor") return task.harbor.instruction;
  return task.scenario.messages
    .filter((message) => message.role === "user")
    .map((message) => textOf(message.content))
    .join("\n\n");
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return content == null ? "" : JSON.stringify(content);
}
