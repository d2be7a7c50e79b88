import type { EpisodeStep } from "@tracemill/core/reward-model/episode.ts";
import { type Found, foundEpisode } from "@tracemill/core/reward-model/found.ts";

export interface EpisodeFixture {
  id: string;
  score?: number;
  task?: string;
  website?: string;
  group?: string;
  /** HTML of each step's page; default: two pages. */
  pages?: readonly string[];
  checks?: readonly object[];
}

/** A recorded episode with a browser, as a line of a file has it. */
export function recordedEpisode({ id, score = 1, task, website, group, pages, checks }: EpisodeFixture) {
  const htmls = pages ?? ["<p>one</p>", '<p>two</p><button id="buy">Buy</button>'];
  return {
    episode_id: id,
    project_id: website,
    task_id: task,
    group,
    checks,
    final_score: score,
    steps: htmls.map((html, index) => ({
      index,
      action_result: {
        action: { kind: "click", args: { selector: "#buy", x: 3, y: 4 } },
        action_event: "click",
        successfully_executed: true,
        browser_snapshot: {
          iteration: index,
          action: { kind: "click", args: { selector: "#buy" } },
          prev_html: htmls[index - 1] ?? "",
          current_html: html,
          current_url: website === undefined ? "about:blank" : `https://${website}/${index}`,
        } as EpisodeStep["action_result"]["browser_snapshot"],
      },
    })),
  };
}

/** What a file of these episodes gives. */
export async function* foundEpisodes(fixtures: Iterable<EpisodeFixture>): AsyncGenerator<Found> {
  let line = 0;
  for (const fixture of fixtures) {
    line += 1;
    yield foundEpisode(recordedEpisode(fixture), { kind: "file", file: "eps.jsonl", line });
  }
}

/** One whole episode. */
export function wholeEpisode(fixture: EpisodeFixture) {
  const found = foundEpisode(recordedEpisode(fixture), { kind: "file", file: "eps.jsonl", line: 1 });
  if ("problem" in found) throw new Error(found.problem.reason);
  return found.episode;
}
