import type { TaskRef } from "@tracemill/core/run/trial.ts";
import { isLiveTool } from "./tools/registry.ts";

/** Why working on a task live is of no use; `undefined` when it is: something decides it, and its tools are here. */
export function whyNotLive(task: Pick<TaskRef, "kind" | "decidedBy" | "tools">): string | undefined {
  if (task.decidedBy === "none") return "nothing decides it: no tests and no expected answer";
  const missing = task.kind === "scenario" ? task.tools.filter((tool) => !isLiveTool(tool)) : [];
  return missing.length > 0 ? `its tools are not available live: ${missing.join(", ")}` : undefined;
}
