import { isTracemillError } from "@tracemill/core/errors.ts";
import { reportNow } from "@tracemill/core/report/report-now.ts";
import type { RunReport } from "@tracemill/core/report/schema.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { Command, Option } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../aws/place.ts";
import { chosenRun } from "../chosen-run.ts";
import type { CliContext, Home } from "../context.ts";
import { atLeast } from "../flag-values.ts";
import { agentsText, rowsText } from "../report-text.ts";

interface Options extends PlaceOptions {
  by: "agent" | "task" | "group" | "source";
  limit: number;
  everyTrial?: boolean;
}

const help = `
Examples:
  tracemill report
  tracemill report nightly --by task --limit 50
  tracemill report latest --on aws --json | jq '.agents[] | {agent, reward, passAtK}'

RUN is an id, the start of one, a run's name, or \`latest\`. Means are of trials with a reward; ± is their standard
error, with the trials of one task taken together. Trials that failed for other reasons than the agent's are shown
beside, and are in no mean. Tables by task, group and source begin with the lowest mean; 1,000 rows are kept.`;

export function reportCommand(context: CliContext): Command {
  return withPlace(new Command("report"))
    .description("say what a run came to: rewards, pass@k, cost, times, failures")
    .argument("[run]", "id, start of an id, name, or `latest`", "latest")
    .addOption(
      new Option("--by <what>", "rows of the table")
        .choices(["agent", "task", "group", "source"])
        .default("agent"),
    )
    .option("--limit <n>", "rows of a table by task, group or source", atLeast(1), 20)
    .option("--every-trial", "read every trial of a run that goes on, however large it is")
    .option("--json", "the whole report as one JSON line")
    .addHelpText("after", help)
    .action((reference: string, options: Options) =>
      inHome(options, context, async (home) => {
        const run = await chosenRun(reference, home);
        await sayReport(run, options, home, context);
      }),
    );
}

async function sayReport(run: RunRecord, options: Options, home: Home, { out }: CliContext): Promise<void> {
  const report = await reportOf(run, options, home, (line) => out.note(line));
  out.text(`${run.runId} (${run.name}) ${run.status}${run.status === "stopped" ? `: ${run.reason}` : ""}`);
  if (report === undefined) {
    out.text("no plan yet: nothing to report");
    return;
  }
  out.event(report);
  if (out.json) return;
  out.text(`${countsLine(report, run)}\n`);
  out.text(bodyOf(report, run, options, home));
}

async function reportOf(
  run: RunRecord,
  { everyTrial = false }: Options,
  home: Home,
  note: (line: string) => void,
): Promise<RunReport | undefined> {
  const onProgress = (trials: number, of: number): void => note(`reading trials: ${trials} of ${of}`);
  try {
    return await reportNow(run, home, { everyTrial, onProgress });
  } catch (error) {
    // A finished run without a plan is damaged; any other is at its beginning.
    if (run.status !== "finished" && isTracemillError(error, "not-found")) return undefined;
    throw error;
  }
}

function countsLine({ tasks, trials, ended, excluded, agents }: RunReport, run: RunRecord): string {
  const attempts = agents.reduce((sum, agent) => sum + agent.attempts, 0);
  const open = ended < trials ? ` (${ended} ended)` : "";
  const left = excluded > 0 ? ` · ${excluded} pairs of task and agent left out` : "";
  const took =
    run.status === "finished"
      ? ` · ${formatDuration(Date.parse(run.finishedAt) - Date.parse(run.createdAt))} from start to end`
      : "";
  return `${tasks} tasks · ${trials} trials${open} · ${attempts} attempts${left}${took}`;
}

function bodyOf(report: RunReport, run: RunRecord, { by, limit }: Options, home: Home): string {
  const hint = `tracemill report ${run.runId} --every-trial${home.flags}`;
  if (report.basis === "shards") {
    const words = `as its shards last reported; by task, with pass@k, times and reasons, trial by trial: ${hint}`;
    return `${agentsText(report)}\n\n${words}`;
  }
  if (by === "agent") return agentsText(report);
  const rows = { task: report.byTask, group: report.byGroup, source: report.bySource }[by];
  return rowsText(by, rows, report.agents, limit);
}
