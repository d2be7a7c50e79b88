import type { PipelineEvent } from "@tracemill/core/pipeline/deps.ts";
import { expect, test } from "vitest";
import { fakeClock } from "../../../test/fakes/clock.ts";
import { createOutput } from "./output.ts";
import { showProgress } from "./progress.ts";

const planned: PipelineEvent = { type: "planned", tasks: 2, trials: 4, excluded: 0, shards: 1 };

function ended(final: boolean, kind: "scored" | "environment-failed"): PipelineEvent {
  const outcome = kind === "scored" ? { kind, rewards: { reward: 1 } } : { kind, reason: "no disk" };
  const names = { trialId: "trl_1", task: "t", agent: "oracle", attempt: 1 };
  return { type: "attempt-ended", ...names, outcome, final };
}

function stageEnded(
  stage: "plan" | "trace" | "evaluate",
  output: Record<string, unknown> = {},
): PipelineEvent {
  return { type: "stage-ended", stage, output, again: false };
}

/** What a log says of these events. */
function linesOf(events: readonly PipelineEvent[]): string[] {
  const lines: string[] = [];
  const ignored = { write: () => true };
  const out = createOutput({
    stdout: ignored,
    stderr: { write: (text: string) => lines.push(text.trimEnd()) },
  });
  const progress = showProgress(out, fakeClock());
  for (const event of events) progress.onEvent(event);
  progress.stop();
  return lines;
}

test("a run that was stopped does not claim to have done all of its trials", () => {
  const lines = linesOf([planned, ended(true, "scored"), stageEnded("trace"), stageEnded("evaluate")]);
  expect(lines).toEqual(["trace     1 of 4 trials", "evaluate  1 scored"]);
});

test("a failed attempt that is repeated is not counted as the end of a trial", () => {
  const events = [ended(false, "environment-failed"), ...Array(4).fill(ended(true, "scored"))];
  const lines = linesOf([planned, ...events, stageEnded("trace"), stageEnded("evaluate")]);
  expect(lines).toEqual(["trace     4 trials", "evaluate  4 scored"]);
});

test("what the plan leaves out is said with its reasons, the most frequent first", () => {
  const excludedBy = { "oracle: no solution": 2, "replay: nothing decides it": 7 };
  expect(linesOf([stageEnded("plan", { trials: 4, shards: 1, excludedBy })])).toEqual([
    "plan      4 trials in 1 shards\nleft out  7 × replay: nothing decides it\nleft out  2 × oracle: no solution",
  ]);
});

test("a line that is written while the bar is there does not run into it", () => {
  const written: string[] = [];
  const out = createOutput({
    stdout: { write: () => true },
    stderr: { write: (text: string) => written.push(text) },
  });
  out.live = { hide: () => written.push("hidden"), show: () => written.push("shown") };
  out.note("finishing what is in flight");
  expect(written).toEqual(["hidden", "finishing what is in flight\n", "shown"]);
});
