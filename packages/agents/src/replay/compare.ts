import type { ReplayReport } from "@tracemill/core/run/result.ts";
import type { CalledTool } from "../tool-loop.ts";
import type { Step } from "../trajectory-builder.ts";
import { textOf } from "./model.ts";

const keptDifferences = 20;
const keptChars = 2_000;

/** Holds live observations against the recorded ones, call by call. */
export class ReplayComparison {
  readonly #recorded = new Map<string, string>();
  readonly #report: ReplayReport;

  constructor(solutionId: string, recordedSteps: readonly Step[]) {
    this.#report = { solutionId, calls: 0, same: 0, unavailable: 0, differences: [] };
    for (const step of recordedSteps) {
      for (const result of step.observation?.results ?? []) {
        const id = result.source_call_id;
        if (id != null) this.#recorded.set(key(step.step_id, id), textOf(result.content ?? ""));
      }
    }
  }

  /** @param recordedStepId the step of the recording that was played. */
  add(recordedStepId: number, called: readonly CalledTool[]): void {
    for (const { call, output, available } of called) {
      const recorded = this.#recorded.get(key(recordedStepId, call.id));
      this.#report.calls += 1;
      if (!available) this.#report.unavailable += 1;
      if (recorded !== undefined && normalise(recorded) === normalise(output)) this.#report.same += 1;
      else this.#addDifference(recordedStepId, call.id, call.name, recorded ?? "", output);
    }
  }

  #addDifference(stepId: number, toolCallId: string, tool: string, recorded: string, live: string): void {
    if (this.#report.differences.length >= keptDifferences) return;
    this.#report.differences.push({
      stepId,
      toolCallId,
      tool,
      recorded: recorded.slice(0, keptChars),
      live: live.slice(0, keptChars),
    });
  }

  report(): ReplayReport {
    return this.#report;
  }
}

function key(stepId: number, callId: string): string {
  return `${stepId}/${callId}`;
}

/** White space at line ends and around the whole does not count. */
function normalise(text: string): string {
  return text.replaceAll(/[ \t\r]+$/gm, "").trim();
}
