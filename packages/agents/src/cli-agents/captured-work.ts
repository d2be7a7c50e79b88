import type { NativeLog } from "@tracemill/core/atif/native/log-lines.ts";
import type { Step, Trajectory } from "@tracemill/core/atif/trajectory.ts";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { SessionReader } from "@tracemill/core/capture/to-atif.ts";
import type { Program } from "./program.ts";

type Worker = Pick<Program, "name" | "version" | "trajectory">;

/** What is known of a program's work: what went through the door, and its own logs once it has ended. */
export class CapturedWork {
  readonly #program: Worker;
  readonly #instruction: string;
  readonly #session: SessionReader;
  #last: HttpExchange | undefined;
  #answered = false;
  #native: Trajectory | undefined;

  constructor(program: Worker, instruction: string) {
    this.#program = program;
    this.#instruction = instruction;
    this.#session = new SessionReader({ name: program.name, version: program.version });
  }

  /** The newest exchange with the model. */
  get last(): HttpExchange | undefined {
    return this.#last;
  }

  /** Whether the model has answered at all. */
  get answered(): boolean {
    return this.#answered;
  }

  /** The key is no good: it is ours, and the program can do nothing about it. */
  get isHopeless(): boolean {
    const status = this.#last?.response?.status;
    return (status === 401 || status === 403) && !this.#answered;
  }

  add(exchange: HttpExchange): void {
    if (exchange.protocol === undefined) return;
    const { response, error } = exchange;
    this.#last = exchange;
    this.#answered ||= error === undefined && response !== undefined && response.status < 300;
    this.#session.add(exchange);
  }

  keepLogs(logs: readonly NativeLog[]): void {
    this.#native = this.#program.trajectory(logs);
  }

  /**
   * The work so far: as the program's own logs tell it, with the tools and the system prompt of the captured session
   * where they do not say them; else as the session tells it.
   */
  trajectory(): Trajectory {
    const captured = this.#last === undefined ? undefined : this.#session.trajectory();
    if (this.#native === undefined) return captured ?? this.#untold();
    return captured === undefined ? this.#native : completed(this.#native, captured);
  }

  /** It was stopped before it asked anything. */
  #untold(): Trajectory {
    const { name, version } = this.#program;
    return {
      schema_version: "ATIF-v1.8",
      agent: { name, version },
      steps: [{ step_id: 1, source: "user", message: this.#instruction }],
    };
  }
}

function completed(native: Trajectory, captured: Trajectory): Trajectory {
  const tools = native.agent.tool_definitions ?? captured.agent.tool_definitions;
  const prompt = captured.steps[0];
  const lacksPrompt = native.steps[0]?.source !== "system" && prompt?.source === "system";
  const agent = { ...native.agent, ...(tools === undefined ? {} : { tool_definitions: tools }) };
  return { ...native, agent, steps: lacksPrompt ? numbered([prompt, ...native.steps]) : native.steps };
}

function numbered(steps: readonly Step[]): Step[] {
  return steps.map((step, index) => ({ ...step, step_id: index + 1 }));
}
