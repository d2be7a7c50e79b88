import { PythonFloat } from "../../atif/python-json.ts";
import { type Episode, isSuccess, stepId } from "../episode.ts";
import { MersenneTwister } from "./mersenne-twister.ts";

/** What make_splits keeps of an episode. */
export interface EpisodeSummary {
  id: string;
  /** Of all its steps. */
  stepIds: string[];
  final: Final;
}

export interface Final {
  rid: string;
  y_success: 0 | 1;
  final_score: PythonFloat;
  raw_score: PythonFloat;
  tests_passed: number;
  tests_total: number;
}

export const iwaSplits = ["train", "val", "test"] as const;
export type IwaSplit = (typeof iwaSplits)[number];

export function summaryOf(episode: Episode): EpisodeSummary {
  const {
    episode_id: id,
    steps,
    final_score: score,
    raw_score: raw = score,
    evaluation_tests: tests = [],
  } = episode;
  const stepIds = steps.map((step) => stepId(id, step));
  return {
    id,
    stepIds,
    final: {
      rid: stepIds.at(-1) ?? id,
      y_success: isSuccess(episode) ? 1 : 0,
      final_score: new PythonFloat(score),
      raw_score: new PythonFloat(raw),
      tests_passed: tests.filter(({ success }) => success).length,
      tests_total: tests.length,
    },
  };
}

/**
 * The original's split: all episodes shuffled by a seed, the first 80 % for training, the next 10 % for validation,
 * both rounded down. It does not look at tasks: attempts at one task fall into different splits.
 */
export function dealtSplits<T>(episodes: readonly T[], seed: number): Record<IwaSplit, T[]> {
  const shuffled = [...episodes];
  new MersenneTwister(seed).shuffle(shuffled);
  const train = Math.trunc(0.8 * shuffled.length);
  const val = Math.trunc(0.1 * shuffled.length);
  return {
    train: shuffled.slice(0, train),
    val: shuffled.slice(train, train + val),
    test: shuffled.slice(train + val),
  };
}
