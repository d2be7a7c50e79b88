import { pythonJson } from "../../atif/python-json.ts";
import { taskName } from "../../prepare/task-name.ts";
import type { Collected } from "../collected.ts";
import { type Episode, stepId } from "../episode.ts";
import type { LabelOutcome } from "../labels/label.ts";
import { labelJson } from "./label-json.ts";
import { MersenneTwister } from "./mersenne-twister.ts";
import { labelCacheKey, movements, obsJson, obsPublic } from "./observation.ts";
import { cleanDom } from "./python-text.ts";
import { dealtSplits, type EpisodeSummary, iwaSplits, summaryOf } from "./splits.ts";

export interface IwaFile {
  /** Below `data/inputs/reward_model/`. */
  path: string;
  body: string;
}

export interface IwaOptions {
  /** The original's is 1337. */
  seed: number;
  /** Lines of `pairs.jsonl`; the original writes 50,000, whatever there is. */
  pairs: number;
}

/** How many of an episode's last steps make pairs. */
const recentSteps = 3;

/**
 * The files that autoppia_iwa's `make_splits`, `build_obs_and_labels` and `build_preference_pairs` write, byte for
 * byte where those are deterministic: splits, finals and observations. Pairs are drawn as the original draws them,
 * but seeded. Memory grows with episodes (some hundred bytes and the ids of their steps), since the original's
 * shuffle wants all of them.
 */
export async function* iwaFiles(
  collected: Pick<Collected, "read">,
  options: IwaOptions,
  labels?: AsyncIterable<readonly LabelOutcome[]>,
): AsyncGenerator<IwaFile> {
  const places: { position: number; summary: EpisodeSummary }[] = [];
  const labelled = labels?.[Symbol.asyncIterator]();
  for await (const { position, episode: found } of collected.read()) {
    const episode = withFileName(found);
    places.push({ position, summary: summaryOf(episode) });
    const outcomes = await labelled?.next();
    yield* stepFiles(episode, outcomes?.done === false ? outcomes.value : []);
  }
  const episodes = places.toSorted((a, b) => a.position - b.position).map(({ summary }) => summary);
  yield* splitFiles(episodes, options.seed);
  const body = pairLines(episodes, options);
  if (body !== "") yield { path: "pairs/pairs.jsonl", body };
}

/** Ids are parts of file names there; one that cannot be gets a name that can. */
function withFileName(episode: Episode): Episode {
  return { ...episode, episode_id: taskName(episode.episode_id) };
}

function* stepFiles(episode: Episode, outcomes: readonly LabelOutcome[]): Generator<IwaFile> {
  const moves = movements(episode);
  for (const [at, step] of episode.steps.entries()) {
    const rid = stepId(episode.episode_id, step);
    const observation = obsPublic(step, moves[at] ?? { urlChanged: true, stagnation: 0 });
    yield { path: `features/${rid}.obs.json`, body: obsJson(observation) };
    const outcome = outcomes[at];
    if (outcome?.status !== "labelled") continue;
    const body = labelJson(outcome.label);
    const { current_url: url, current_html: html } = step.action_result.browser_snapshot;
    yield { path: `features/${rid}.sem.json`, body };
    yield { path: `llm_labels/${labelCacheKey(url, cleanDom(html))}.json`, body };
  }
}

function* splitFiles(episodes: readonly EpisodeSummary[], seed: number): Generator<IwaFile> {
  const dealt = dealtSplits(episodes, seed);
  for (const split of iwaSplits) {
    const members = dealt[split];
    const file = (path: string, value: unknown) => ({ path, body: pythonJson(value, 2) });
    yield file(
      `splits/${split}.json`,
      members.map(({ id }) => id),
    );
    yield file(
      `splits/semantic_${split}.json`,
      members.flatMap(({ stepIds }) => stepIds),
    );
    yield file(
      `features/${split}_finals.json`,
      members.map(({ final }) => final),
    );
  }
}

/** Steps of good episodes in a shuffled round, each against a step of any other episode, whatever its task. */
function pairLines(episodes: readonly EpisodeSummary[], { seed, pairs }: IwaOptions): string {
  const recent = (wanted: 0 | 1) =>
    episodes
      .filter(({ final }) => final.y_success === wanted)
      .flatMap(({ stepIds }) => stepIds.slice(-recentSteps));
  const [positives, negatives] = [recent(1), recent(0)];
  if (positives.length === 0 || negatives.length === 0) return "";
  const random = new MersenneTwister(seed);
  random.shuffle(positives);
  const lines = Array.from({ length: pairs }, (_, at) =>
    pythonJson({ pos_id: positives[at % positives.length], neg_id: random.choice(negatives) }),
  );
  return `${lines.join("\n")}\n`;
}
