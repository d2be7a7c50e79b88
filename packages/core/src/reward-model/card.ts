import { markdownList, markdownTable, tablesCard } from "../dataset/tables-card.ts";
import type { RewardModelInput, RewardModelManifest } from "./manifest.ts";
import { rewardModelTables } from "./tables.ts";

/** The README.md of the dataset, of its manifest without the card itself. */
export function rewardModelCard(manifest: RewardModelManifest): string {
  return tablesCard({
    manifest,
    tables: rewardModelTables,
    intro: `Reward-model data, made by Tracemill as version \`${manifest.version}\`: episodes of agents, how each ended, what was to be seen at each step, and pairs of steps of which one led to success.`,
    sections: sections(manifest),
  });
}

function sections({ episodes, checks, labels, pairs, leakCheck, inputs }: RewardModelManifest): string[] {
  const { kept, successes, withBrowser, duplicates, putAside } = episodes;
  return [
    "## Episodes",
    `${kept} episodes, ${successes} of them with a score above 0.5, ${withBrowser} with a browser recording. An episode without a score is not a zero: it is not here.`,
    markdownList([
      `${duplicates} replaced by a later one of the same id`,
      ...Object.entries(putAside).map(([kind, count]) => `${count} put aside: \`${kind}\``),
    ]),
    `Pairs: ${pairs.task} within a task, ${pairs.website} within a website. Labels: ${labelText(labels)}.`,
    ...(checks.length === 0
      ? []
      : [
          "## Checks decided again from the recordings",
          markdownTable(
            [
              "check",
              "agree",
              "claimed passed, is not",
              "claimed failed, holds",
              "cannot be known",
              "unclaimed",
            ],
            checks.map(({ name, agree, claimedPassed, claimedFailed, unknown, unclaimed }) => [
              name,
              ...[agree, claimedPassed, claimedFailed, unknown, unclaimed].map(String),
            ]),
          ),
        ]),
    "## Where it comes from",
    markdownList([
      ...inputs.map(inputText),
      "`lineage.jsonl` names the origin of each row; `manifest.json` the hash of each file",
    ]),
    `Splits are by group: ${leakCheck.groups} groups, ${leakCheck.groupsInSeveralSplits} in more than one split; ${leakCheck.tasks} tasks, ${leakCheck.tasksInSeveralSplits} in more than one; ${leakCheck.websites} websites, ${leakCheck.websitesInSeveralSplits} in more than one.`,
  ];
}

function labelText(labels: RewardModelManifest["labels"]): string {
  if (labels === undefined) return "none were asked for";
  const missing = Object.entries(labels.missing).map(([reason, count]) => `${count} missing (\`${reason}\`)`);
  return [`${labels.labelled} by \`${labels.model}\``, ...missing].join(", ");
}

function inputText(input: RewardModelInput): string {
  if (input.kind === "run") return `run \`${input.runId}\``;
  if (input.kind === "files") return `files: \`${input.path}\``;
  return `snapshot \`${input.snapshotId}\` of \`${input.source}\``;
}
