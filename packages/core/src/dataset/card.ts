import { datasetFormats, datasetTables } from "./columns.ts";
import type { DatasetManifest } from "./manifest.ts";
import { markdownList, markdownTable, tablesCard } from "./tables-card.ts";

/** The README.md of a run's dataset, of its manifest without the card itself. */
export function datasetCard(manifest: DatasetManifest): string {
  return tablesCard({
    manifest,
    tables: datasetFormats
      .filter((format) => manifest.counts[format] !== undefined)
      .map((format) => datasetTables[format]),
    tableWord: "format",
    intro: `Agent trajectories and their verified results, exported by Tracemill from run \`${manifest.runId}\` as version \`${manifest.version}\`.`,
    sections: sections(manifest),
  });
}

function sections(manifest: DatasetManifest): string[] {
  const { lineage, leakCheck, leftOut } = manifest;
  return [
    "## Results",
    `${lineage.trials} ended trials of ${lineage.tasks} tasks. A trial without a reward (its environment, its model or its verifier failed) is not a zero and is in no mean.`,
    markdownTable(
      ["agent", "model", "trials", "with reward", "mean reward", "outcomes"],
      agentRows(manifest),
    ),
    "## What was left out",
    markdownList([
      `${leftOut.notEnded} trials that had not ended`,
      ...Object.entries(leftOut.formats).flatMap(([format, reasons]) =>
        Object.entries(reasons ?? {}).map(([reason, count]) => `${format}: ${count} by \`${reason}\``),
      ),
    ]),
    ...redactions(manifest),
    "## Where it comes from",
    markdownList([
      ...lineage.snapshots.map(
        ({ source, snapshotId, trials }) => `snapshot \`${snapshotId}\` of \`${source}\`: ${trials} trials`,
      ),
      ...(lineage.folderTrials === 0 ? [] : [`task folders: ${lineage.folderTrials} trials`]),
      "`lineage.jsonl` names for each row its trial, attempt, task hash and origin; `manifest.json` the hash of each file",
    ]),
    `Splits are by group: ${leakCheck.groups} groups, ${leakCheck.groupsInSeveralSplits} in more than one split.`,
  ];
}

function redactions({ redactions }: DatasetManifest): string[] {
  if (redactions === undefined) return [];
  return [
    "## What was redacted",
    "Secrets that were found in these rows; `[REDACTED:kind]` stands in their places.",
    markdownList(Object.entries(redactions).map(([kind, count]) => `${count} × \`${kind}\``)),
  ];
}

function agentRows({ agents }: DatasetManifest): string[][] {
  return agents.map(({ agent, model = "–", trials, rewarded, meanReward, outcomes }) => [
    agent,
    model,
    String(trials),
    String(rewarded),
    meanReward === undefined ? "–" : meanReward.toFixed(3),
    Object.entries(outcomes)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", "),
  ]);
}
