import { SplitWatch } from "../dataset/tally.ts";
import { hashId } from "../ingest/id-set.ts";
import { CheckReport } from "./checks/report.ts";
import type { Recheck } from "./checks/verdict.ts";
import { type Episode, isSuccess } from "./episode.ts";
import type { RewardModelManifest } from "./manifest.ts";
import type { Pair } from "./pairs.ts";

/** Counts a dataset while it goes by. Memory: some bytes a task, website and group. */
export class RewardModelTally {
  readonly checks = new CheckReport();
  readonly pairs = { task: 0, website: 0 };
  readonly #groups = new SplitWatch();
  readonly #tasks = new SplitWatch();
  readonly #websites = new SplitWatch();
  #kept = 0;
  #successes = 0;
  #withBrowser = 0;

  addEpisode(
    episode: Episode,
    { group, split, rechecks }: { group: string; split: string; rechecks: readonly Recheck[] },
  ): void {
    this.#kept += 1;
    if (isSuccess(episode)) this.#successes += 1;
    if (episode.browser) this.#withBrowser += 1;
    this.#groups.see(hashId(group), split);
    if (episode.task_id !== undefined) this.#tasks.see(hashId(episode.task_id), split);
    if (episode.project_id !== undefined) this.#websites.see(hashId(episode.project_id), split);
    for (const recheck of rechecks) this.checks.add(recheck);
  }

  addPair({ scope }: Pick<Pair, "scope">): void {
    this.pairs[scope] += 1;
  }

  episodes(): Pick<RewardModelManifest["episodes"], "kept" | "successes" | "withBrowser"> {
    return { kept: this.#kept, successes: this.#successes, withBrowser: this.#withBrowser };
  }

  leakCheck(): RewardModelManifest["leakCheck"] {
    return {
      groups: this.#groups.distinct,
      groupsInSeveralSplits: this.#groups.inSeveral,
      tasks: this.#tasks.distinct,
      tasksInSeveralSplits: this.#tasks.inSeveral,
      websites: this.#websites.distinct,
      websitesInSeveralSplits: this.#websites.inSeveral,
    };
  }
}
