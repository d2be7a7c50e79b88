import { writeChatMessages } from "@tracemill/core/atif/from-chat.ts";
import { StepWriter } from "@tracemill/core/atif/step-writer.ts";
import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import type { LoadedTask } from "@tracemill/core/ports/agent.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ChatMessage } from "@tracemill/core/ports/model-client.ts";

export type Step = Trajectory["steps"][number];
export type NewStep = Step extends infer S ? (S extends Step ? Omit<S, "step_id"> : never) : never;

/** Grows an ATIF trajectory step by step; a snapshot of it is valid at any time after the first step. */
export class TrajectoryBuilder {
  readonly #steps: Step[] = [];
  readonly #subagents: Trajectory[] = [];
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

  /** Adds messages that the model did not say now: what it says among them is context, not this agent's work. */
  addContext(messages: readonly ChatMessage[]): void {
    const writer = new StepWriter();
    writer.beginContext();
    writeChatMessages(
      messages.map(({ carry: _, ...message }) => message),
      writer,
    );
    for (const { step_id: _, ...step } of writer.finish()) this.add(step);
  }

  /** Embeds a conversation that was led beside this one. It has to have a `trajectory_id`, unlike all others here. */
  addSubagent(trajectory: Trajectory): void {
    this.#subagents.push(trajectory);
  }

  build(): Trajectory {
    const subagents = this.#subagents.length === 0 ? {} : { subagent_trajectories: [...this.#subagents] };
    return { schema_version: "ATIF-v1.8", agent: this.#agent, steps: [...this.#steps], ...subagents };
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
