import { assertShares, splitOf } from "../dataset/splits.ts";
import { type TableRow, type TablesDeps, writeTables } from "../dataset/tables.ts";
import { contentId } from "../ids.ts";
import { canonicalJson } from "../run/spec.ts";
import { rewardModelCard } from "./card.ts";
import { recheckEpisode } from "./checks/recheck.ts";
import { type Collected, type CollectedEpisode, collectEpisodes } from "./collected.ts";
import { episodeRow, finalRow } from "./episode-rows.ts";
import { type Found, sourceOf } from "./found.ts";
import { EpisodeGroups } from "./groups.ts";
import type { LabelOutcome } from "./labels/label.ts";
import { type LabelledEpisodes, labelEpisodes } from "./labels/label-episodes.ts";
import type { PageLabeler } from "./labels/labeler.ts";
import { type RewardModelInput, RewardModelManifest, type RewardModelSpec } from "./manifest.ts";
import { PairMaker } from "./pairs.ts";
import { stepRowsOf } from "./step-rows.ts";
import { type RewardModelTable, rewardModelTables } from "./tables.ts";
import { RewardModelTally } from "./tally.ts";

/** Part of every version: raise it when the same input comes to give other rows or files. */
const layoutVersion = 1;

export interface BuildRequest {
  spec: RewardModelSpec;
  inputs: readonly RewardModelInput[];
  /** The episodes of the inputs, in their order. */
  found: AsyncIterable<Found>;
}

export interface BuildDeps extends TablesDeps {
  labels?: { labeler: PageLabeler; concurrency: number } | undefined;
  onProgress?: ((stage: "read" | "label" | "write", episodes: number) => void) | undefined;
}

/** What was built, and what a person wants to know of it beside the manifest. */
export interface Built {
  manifest: RewardModelManifest;
  /** Why labels are missing, in the words of the first of each kind. */
  labelMessages: LabelledEpisodes["messages"];
}

/**
 * Makes reward-model data of episodes and writes it as a dataset (`writeTables`): episodes, their ends, observations,
 * features of steps, and preference pairs, in splits that share no task, group or website.
 *
 * Episodes go through scratch files, one at a time. What grows in memory are hashes: some 20 bytes an episode, 100 to
 * 200 a task, and the pairs. The same input, options and labels give the same bytes.
 * @throws TracemillError `invalid-spec` (splits), `cancelled`, `storage-full`, and what reading the inputs throws.
 */
export async function buildRewardModelData(
  { spec, inputs, found }: BuildRequest,
  deps: BuildDeps,
): Promise<Built> {
  assertShares(spec.splits);
  await using stack = new AsyncDisposableStack();
  const groups = new EpisodeGroups(spec.group);
  const collected = stack.use(
    await collectEpisodes(found, {
      scratch: deps.scratch,
      signal: deps.signal,
      onEpisode: (episode) => groups.add(episode),
      onProgress: (done) => deps.onProgress?.("read", done),
    }),
  );
  const labels = await labelled(collected, deps);
  if (labels !== undefined) stack.use(labels);
  const { most, ...pairOptions } = { most: spec.pairs, recent: spec.recentSteps, seed: spec.seed };
  const pairs = stack.use(await PairMaker.open({ most, ...pairOptions }, deps.scratch));
  const tally = new RewardModelTally();
  const labelPart = labels === undefined ? null : [labels.model, labels.digest];
  const version = contentId("ver", [layoutVersion, canonicalJson(spec), inputs, collected.digest, labelPart]);
  const making: Making = { spec, collected, labels, groups, pairs, tally };
  const manifest = await writeTables(
    {
      name: spec.name,
      version,
      tables: rewardModelTables,
      splits: Object.keys(spec.splits),
      rows: rowsOf(making, deps),
      manifest: {
        schema: RewardModelManifest,
        of: (written) => ({ ...head(spec, inputs, version), ...written, ...findings(making) }),
      },
      card: rewardModelCard,
    },
    deps,
  );
  return { manifest, labelMessages: labels?.messages ?? {} };
}

interface Making {
  spec: RewardModelSpec;
  collected: Collected;
  labels: LabelledEpisodes | undefined;
  groups: EpisodeGroups;
  pairs: PairMaker;
  tally: RewardModelTally;
}

async function labelled(collected: Collected, deps: BuildDeps): Promise<LabelledEpisodes | undefined> {
  if (deps.labels === undefined) return undefined;
  const onProgress = (done: number) => deps.onProgress?.("label", done);
  return labelEpisodes(collected, { ...deps.labels, scratch: deps.scratch, onProgress });
}

async function* rowsOf(making: Making, { onProgress }: BuildDeps): AsyncGenerator<TableRow> {
  const { collected, labels, tally, pairs } = making;
  const outcomes = labels?.read();
  let done = 0;
  for await (const one of collected.read()) {
    const next = await outcomes?.next();
    yield* await rowsOfEpisode(one, next?.done === false ? next.value : undefined, making);
    done += 1;
    onProgress?.("write", done);
  }
  for await (const { split, ...row } of pairs.pairs()) {
    tally.addPair(row);
    const lineage = { table: "pairs", split, pos_id: row.pos_id, neg_id: row.neg_id };
    yield { table: "pairs", split, row, lineage };
  }
}

async function rowsOfEpisode(
  { episode, origin }: CollectedEpisode,
  labels: readonly LabelOutcome[] | undefined,
  { spec, groups, pairs, tally }: Making,
): Promise<TableRow[]> {
  const group = groups.groupOf(episode);
  const split = splitOf(group, spec);
  const rechecks = recheckEpisode(episode);
  tally.addEpisode(episode, { group, split, rechecks });
  await pairs.add(episode, { split, group, source: sourceOf(origin) });
  const row = (table: RewardModelTable, rowId: string, values: Record<string, unknown>): TableRow => ({
    table,
    split,
    row: values,
    lineage: { table, split, row_id: rowId, episode_id: episode.episode_id, origin },
  });
  const final = finalRow(episode, group);
  const rows = [
    row("episodes", episode.episode_id, episodeRow(episode, group, rechecks)),
    row("finals", String(final.rid), final),
  ];
  for (const { rid, observation, features } of stepRowsOf(episode, group, labels)) {
    rows.push(row("observations", rid, observation), row("steps", rid, features));
  }
  return rows;
}

function head(spec: RewardModelSpec, inputs: readonly RewardModelInput[], version: string) {
  const { name } = spec;
  return {
    schemaVersion: 1 as const,
    kind: "reward-model" as const,
    name,
    version,
    spec,
    inputs: [...inputs],
  };
}

function findings({ collected, labels, tally }: Making) {
  const { duplicates, putAside, problems, redactions } = collected;
  return {
    episodes: { ...tally.episodes(), duplicates, putAside, problems: [...problems] },
    ...(redactions === undefined ? {} : { redactions }),
    checks: tally.checks.list(),
    ...(labels === undefined
      ? {}
      : { labels: { model: labels.model, labelled: labels.labelled, missing: labels.missing } }),
    pairs: tally.pairs,
    leakCheck: tally.leakCheck(),
  };
}
