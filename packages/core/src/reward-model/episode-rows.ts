import type { Row } from "../dataset/json-row.ts";
import { disagrees } from "./checks/report.ts";
import type { Recheck } from "./checks/verdict.ts";
import { type Episode, isSuccess } from "./episode.ts";
import { summaryOf } from "./iwa/splits.ts";
import { episodeKeys } from "./step-rows.ts";

/** The whole episode. Its JSONL lines can be read again as episodes, here and by the original's tools. */
export function episodeRow(episode: Episode, group: string, rechecks: readonly Recheck[]): Row {
  const { steps, final_score: score, raw_score: raw = score, evaluation_tests: tests, checks } = episode;
  return {
    ...episodeKeys(episode, group),
    browser: episode.browser,
    instruction: episode.instruction ?? null,
    agent: episode.agent ?? null,
    model: episode.model ?? null,
    decided_by: episode.decided_by ?? null,
    num_steps: steps.length,
    final_score: score,
    raw_score: raw,
    y_success: isSuccess(episode) ? 1 : 0,
    evaluation_tests: jsonOf(tests),
    checks: jsonOf(checks),
    rechecks: rechecks.length === 0 ? null : JSON.stringify(rechecks),
    disagreements: rechecks.filter(disagrees).length,
    steps: JSON.stringify(steps),
  };
}

/** How the episode ended, under the id of its last step. */
export function finalRow(episode: Episode, group: string): Row {
  const { final } = summaryOf(episode);
  return {
    rid: final.rid,
    ...episodeKeys(episode, group),
    y_success: final.y_success,
    final_score: final.final_score.value,
    raw_score: final.raw_score.value,
    tests_passed: final.tests_passed,
    tests_total: final.tests_total,
    decided_by: episode.decided_by ?? null,
  };
}

function jsonOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
