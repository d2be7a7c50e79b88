import type { RunSummary } from "@tracemill/core/pipeline/results.ts";
import { table } from "./tables.ts";

type Reward = RunSummary["agents"][string]["reward"];

/** One screen that says what a run came to. */
export function summaryText(summary: RunSummary): string {
  const blocks = [countsText(summary), agentsTable(summary), outcomesText(summary)];
  if (summary.claims.checked > 0) blocks.push(claimsText(summary.claims));
  return blocks.join("\n\n");
}

function countsText({ tasks, trials, ended, attempts, excluded }: RunSummary): string {
  const open = ended < trials ? ` (${ended} ended)` : "";
  const left = excluded > 0 ? ` · ${excluded} pairs of task and agent left out` : "";
  return `${tasks} tasks · ${trials} trials${open} · ${attempts} attempts${left}`;
}

function agentsTable({ agents }: RunSummary): string {
  return table(
    ["agent", "trials", "rewarded", "mean reward", "95 % interval"],
    Object.entries(agents).map(([name, { trials, reward }]) => [
      name,
      String(trials),
      String(reward?.n ?? 0),
      reward === undefined ? "–" : reward.mean.toFixed(3),
      intervalText(reward),
    ]),
  );
}

function intervalText(reward: Reward): string {
  return reward === undefined ? "" : `${reward.low.toFixed(3)} … ${reward.high.toFixed(3)}`;
}

function outcomesText({ outcomes }: RunSummary): string {
  const parts = Object.entries(outcomes).map(([kind, count]) => `${count} ${kind}`);
  return `outcomes: ${parts.join(", ") || "none yet"}`;
}

const shownClaims = 10;

function claimsText(claims: RunSummary["claims"]): string {
  const { checked, refuted, refutedCount } = claims;
  const head = `claims of the source: ${checked} checked by a real run, ${refutedCount} did not hold`;
  if (refutedCount === 0) return head;
  const rows = refuted
    .slice(0, shownClaims)
    .map(({ task, solutionId, claimed, reward }) => [
      `  ${task}`,
      solutionId,
      `claimed ${claimed}`,
      `reward ${reward}`,
    ]);
  const more = refutedCount > shownClaims ? `\n  … and ${refutedCount - shownClaims} more (results.csv)` : "";
  return `${head}\n${table(["  task", "solution", "claim", "real run"], rows)}${more}`;
}
