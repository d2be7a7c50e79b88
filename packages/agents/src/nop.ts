import type { Agent } from "@tracemill/core/ports/agent.ts";
import { instructionOf, TrajectoryBuilder } from "./trajectory-builder.ts";

/** Does nothing: shows what a task's tests give an untouched environment. */
export const nop: Agent = {
  name: "nop",
  version: "1",
  decidedBy: "task",
  needsSandbox: () => false,
  variants: (task) =>
    task.kind === "harbor"
      ? { references: [undefined] }
      : { excluded: "only Harbor tasks have tests to run" },
  run: async ({ task, clock }) => {
    const trajectory = new TrajectoryBuilder({ name: "nop", version: "1" }, clock);
    trajectory.add({ source: "user", message: instructionOf(task) });
    trajectory.add({ source: "agent", message: "", llm_call_count: 0 });
    return { end: { kind: "completed" }, trajectory: trajectory.build() };
  },
};
