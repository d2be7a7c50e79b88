import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import type { ReplayReport } from "@tracemill/core/run/result.ts";
import type { Conversation } from "../tool-loop.ts";
import { ReplayComparison } from "./compare.ts";
import { recordingOf } from "./model.ts";

export interface Playing extends Required<Pick<Conversation, "nextUserMessages" | "onStep">> {
  report(): ReplayReport;
}

/** For a conversation whose answers are a recording's: its user speaks in between, and what tools answer now is held against it. */
export function playing(reference: Trajectory, solutionId: string): Playing {
  const { turns } = recordingOf(reference);
  const comparison = new ReplayComparison(solutionId, reference.steps);
  let played = 0;
  return {
    nextUserMessages: () => turns[played - 1]?.followUps ?? [],
    onStep: (_step, called) => {
      comparison.add(turns[played]?.step.step_id ?? 0, called);
      played += 1;
    },
    report: () => comparison.report(),
  };
}
