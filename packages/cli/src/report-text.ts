import type {
  AgentReport,
  Comparison,
  ReportRow,
  RewardEstimate,
  Rows,
  RunReport,
} from "@tracemill/core/report/schema.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import { table } from "./tables.ts";

/** z of a two-sided 95 % interval. */
const z95 = 1.96;

/** k of which the table of agents has columns; `--json` has all. */
const shownK = [1, 2, 4, 8, 16];

const shownReasons = 8;

/** One screen: what a run came to, by agent. */
export function agentsText(report: RunReport): string {
  const { agents, comparisons } = report;
  const blocks = [rewardsTable(agents), solvedLines(agents), costTable(agents)];
  if (comparisons.length > 0) blocks.push(comparisonsTable(comparisons));
  const failed = withoutReward(agents);
  if (failed !== "") blocks.push(failed);
  if (report.reasons.length > 0) blocks.push(reasonsTable(report.reasons));
  return blocks.filter((block) => block !== "").join("\n\n");
}

function rewardsTable(agents: readonly AgentReport[]): string {
  const ks = shownK.filter((k) => agents.some(({ passAtK }) => passAtK.some((each) => each.k === k)));
  const isPlanned = agents.some(({ trials }) => trials !== undefined);
  return table(
    [
      "agent",
      ...(isPlanned ? ["trials"] : []),
      "ended",
      "rewarded",
      "mean reward",
      ...ks.map((k) => `pass@${k}`),
    ],
    agents.map(({ agent, trials, ended, reward, passAtK }) => [
      agent,
      ...(isPlanned ? [String(trials ?? 0)] : []),
      String(ended),
      String(reward?.n ?? 0),
      meanText(reward),
      ...ks.map((k) =>
        passText(
          passAtK.find((each) => each.k === k),
          reward,
        ),
      ),
    ]),
  );
}

/** The mean, and its standard error over tasks. */
function meanText(reward: RewardEstimate | undefined): string {
  if (reward === undefined) return "–";
  const error = reward.stderr === undefined ? "" : ` ± ${errorText(reward.stderr)}`;
  return `${reward.mean.toFixed(3)}${error}`;
}

/** Two digits of small ones, which are those of large runs. */
function errorText(stderr: number): string {
  return stderr === 0 || stderr >= 0.01 ? stderr.toFixed(3) : stderr.toPrecision(2);
}

function passText(
  pass: AgentReport["passAtK"][number] | undefined,
  reward: RewardEstimate | undefined,
): string {
  if (pass === undefined) return "–";
  const some = pass.tasks === reward?.tasks ? "" : ` (${pass.tasks} tasks)`;
  return `${pass.value.toFixed(3)}${some}`;
}

function solvedLines(agents: readonly AgentReport[]): string {
  const rows = agents.flatMap(({ agent, solved }) =>
    solved === undefined
      ? []
      : [
          `${agent}: ${solved.always} tasks always solved, ${solved.sometimes} sometimes, ${solved.never} never`,
        ],
  );
  return rows.join("\n");
}

function costTable(agents: readonly AgentReport[]): string {
  const isTimed = agents.some(({ times }) => times !== undefined);
  const timeColumns = isTimed ? ["attempt p50", "p90", "p99", "longest"] : [];
  return table(
    ["agent", "attempts", "tokens in", "cached", "out", "USD", ...timeColumns],
    agents.map(({ agent, attempts, usage, times }) => [
      agent,
      String(attempts),
      countText(usage.promptTokens),
      countText(usage.cachedTokens),
      countText(usage.completionTokens),
      usage.costUsd === undefined ? "–" : usage.costUsd.toFixed(2),
      ...(isTimed ? timeCells(times) : []),
    ]),
  );
}

function timeCells(times: AgentReport["times"]): string[] {
  return [times?.p50Ms, times?.p90Ms, times?.p99Ms, times?.maxMs].map((ms) =>
    ms === undefined ? "–" : formatDuration(ms),
  );
}

/** `950`, `12.3k`, `4.56M`, `12.4G`. */
function countText(count: number): string {
  if (count < 10_000) return String(count);
  if (count < 1e6) return `${(count / 1e3).toFixed(1)}k`;
  return count < 1e9 ? `${(count / 1e6).toFixed(2)}M` : `${(count / 1e9).toFixed(2)}G`;
}

function comparisonsTable(comparisons: readonly Comparison[]): string {
  return table(
    ["on the same tasks", "tasks", "difference", "95 % interval", "better", "equal", "worse"],
    comparisons.map(({ a, b, tasks, difference, stderr, better, equal, worse }) => [
      `${a} less ${b}`,
      String(tasks),
      `${signed(difference)}${stderr === undefined ? "" : ` ± ${errorText(stderr)}`}`,
      stderr === undefined
        ? ""
        : `${signed(difference - z95 * stderr)} … ${signed(difference + z95 * stderr)}`,
      String(better),
      String(equal),
      String(worse),
    ]),
  );
}

function signed(value: number): string {
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`;
}

/** Failures are no zeros: they are beside the means, never in them. */
function withoutReward(agents: readonly AgentReport[]): string {
  const counts = new Map<string, number>();
  for (const { outcomes } of agents) {
    for (const [kind, count] of Object.entries(outcomes))
      if (kind !== "scored" && kind !== "agent-failed") counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  if (counts.size === 0) return "";
  return `without a reward, and in no mean: ${[...counts].map(([kind, count]) => `${count} ${kind}`).join(", ")}`;
}

function reasonsTable(reasons: RunReport["reasons"]): string {
  const rows = reasons
    .slice(0, shownReasons)
    .map(({ count, outcome, reason, trialId }) => [String(count), outcome, cut(reason, 70), trialId]);
  const more = reasons.length > shownReasons ? `\n… ${reasons.length - shownReasons} more with --json` : "";
  return `${table(["attempts", "outcome", "most frequent reasons", "for example"], rows)}${more}`;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Tasks, groups or sources with a column for each agent, lowest mean first. */
export function rowsText(
  what: string,
  { total, rows }: Rows,
  agents: readonly AgentReport[],
  limit: number,
): string {
  const names = agents.map(({ agent }) => agent);
  const shown = rows.slice(0, limit);
  const text = table(
    [what, ...(what === "task" ? [] : ["tasks"]), "trials", "no reward", "USD", "mean", ...names],
    shown.map((row) => rowCells(row, names, what !== "task")),
  );
  return shown.length < total ? `${text}\n… ${total - shown.length} more` : text;
}

function rowCells(row: ReportRow, agents: readonly string[], withTasks: boolean): string[] {
  return [
    row.name,
    ...(withTasks ? [String(row.tasks ?? 0)] : []),
    String(row.trials),
    String(row.failed),
    row.costUsd === undefined ? "–" : row.costUsd.toFixed(2),
    row.mean === undefined ? "–" : row.mean.toFixed(3),
    ...agents.map((agent) => {
      const cell = row.agents[agent];
      return cell === undefined ? "–" : `${cell.mean.toFixed(3)} (${cell.n})`;
    }),
  ];
}
