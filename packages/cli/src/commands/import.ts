import { importJob, type JobImport } from "@tracemill/core/harbor/jobs/import-job.ts";
import { findJobFolders, taskFilesFor } from "@tracemill/local/harbor-jobs-read.ts";
import { Command } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../aws/place.ts";
import type { CliContext, Home } from "../context.ts";
import { trialProgress } from "../trial-progress.ts";

interface Options extends PlaceOptions {
  dryRun?: boolean;
}

const help = `
Examples:
  tracemill import harbor jobs
  tracemill import harbor jobs/2026-01-31__12-00-00 --dry-run
  tracemill import harbor jobs --json | jq -r .runId
  tracemill show RUN --trials

Each job becomes a run, with its trials, outcomes, rewards, trajectories and files. Importing a job again takes the
trials that are new. Trials that are broken or not finished are counted and named. docs/harbor.md says what becomes
of what.`;

/** `tracemill import harbor PATH…`: runs of another system as runs of ours. */
export function importCommand(context: CliContext): Command {
  return new Command("import")
    .description("take over what other systems ran")
    .addHelpText("after", help)
    .addCommand(harborCommand(context));
}

function harborCommand(context: CliContext): Command {
  return withPlace(new Command("harbor"))
    .description("import Harbor's job folders as runs")
    .argument("<paths...>", "job folders, or folders of them (Harbor's --jobs-dir)")
    .option("--dry-run", "read everything and say what would be imported; write nothing")
    .option("--json", "one JSON line a job")
    .addHelpText("after", help)
    .action((paths: string[], options: Options) =>
      inHome(options, context, (home) => importJobs(paths, options.dryRun === true, home, context)),
    );
}

async function importJobs(paths: string[], dryRun: boolean, home: Home, context: CliContext): Promise<void> {
  const { out, signal, draining } = context;
  const jobs = (await Promise.all(paths.map(findJobFolders))).flat();
  const taskFiles = taskFilesFor(jobs);
  const deps = { ...home, taskFiles, signal: AbortSignal.any([signal, draining]) };
  for (const job of jobs) {
    const onProgress = trialProgress(`import ${job.name}`, context);
    const report = await importJob(job, { ...deps, onProgress }, dryRun);
    out.event({ type: "import", dryRun, ...report });
    out.text(reportText(report, dryRun, home));
    if (report.trials.broken > 0) context.exitCode = 1;
  }
}

const taskWords = {
  kept: "",
  unchecked: "of tasks that are as they are here now: the job recorded no digest",
  changed: "of tasks that have changed since; their content is not taken",
  absent: "of tasks that are not on this machine",
} as const;

function reportText(report: JobImport, dryRun: boolean, home: Home): string {
  const { trials, outcomes, tasks, problems } = report;
  const kinds = Object.entries(outcomes).map(([kind, n]) => `${n} ${kind}`);
  const counted: [number | undefined, string][] = [
    [trials.known, "in the run before"],
    [trials.unfinished, "without a result: running, or killed"],
    [trials.broken, "broken, not taken"],
    ...Object.entries(taskWords).map(([fate, words]): [number | undefined, string] => [
      words === "" ? 0 : tasks[fate as keyof typeof taskWords],
      words,
    ]),
    [trials.imported - report.trajectories, "without a trajectory"],
  ];
  const what = dryRun ? "would be imported" : "imported";
  return [
    `${report.job}: ${trials.imported} trials ${what}${kinds.length === 0 ? "" : ` (${kinds.join(", ")})`}`,
    ...counted.filter(([n]) => n !== undefined && n > 0).map(([n, words]) => `  ${n} ${words}`),
    ...problems.map(({ where, reason }) => `  ${where}: ${reason}`),
    `  run: ${report.runId}${home.flags}`,
  ].join("\n");
}
