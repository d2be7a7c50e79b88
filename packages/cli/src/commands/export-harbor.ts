import { TracemillError } from "@tracemill/core/errors.ts";
import { exportJob, jobIdOf } from "@tracemill/core/harbor/jobs/export-job.ts";
import { openJobTarget } from "@tracemill/local/harbor-jobs-write.ts";
import { InvalidArgumentError } from "commander";
import { chosenRun } from "../chosen-run.ts";
import type { CliContext, Home } from "../context.ts";
import { trialProgress } from "../trial-progress.ts";

export interface HarborJobOptions {
  /** The folder of jobs. */
  harborJobs: string;
  jobName?: string | undefined;
}

/** `tracemill export RUN --harbor-jobs DIR`: a run as a Harbor job folder. */
export async function exportHarborJob(
  reference: string,
  { harborJobs: jobsDir, jobName }: HarborJobOptions,
  home: Home,
  context: CliContext,
): Promise<void> {
  const { out, signal, draining } = context;
  const run = await chosenRun(reference, home);
  const name = jobName ?? `${run.name}__${run.runId}`;
  await using job = await openJobTarget(jobsDir, name, jobIdOf(run.runId));
  const deps = { ...home, job, signal: AbortSignal.any([signal, draining]) };
  const onProgress = trialProgress("export", context);
  const done = await exportJob({ run, jobName: name, jobsDir }, { ...deps, onProgress });
  await job.commit();
  out.event({ type: "harbor-job", runId: run.runId, path: job.path, ...done });
  const same = done.trials - done.written;
  out.text(`${done.trials} trials${same === 0 ? "" : `, ${same} of them there before`}`);
  if (done.notEnded > 0) out.text(`left out: ${done.notEnded} trials that have not ended`);
  out.text(`job: ${job.path}\nopen it with: harbor view ${jobsDir}`);
}

const datasetOptions = {
  name: "name",
  format: "format",
  minReward: "min-reward",
  outcome: "outcome",
  agent: "agent",
  split: "split",
  seed: "seed",
  episodes: "episodes",
};

/** @throws TracemillError `invalid-input` when options of datasets are given beside `--harbor-jobs`. */
export function refuseDatasetOptions(given: object): void {
  const flags = Object.entries(datasetOptions).flatMap(([key, flag]) => (key in given ? [`--${flag}`] : []));
  if (flags.length === 0) return;
  throw new TracemillError(
    "invalid-input",
    `${flags.join(", ")}: for datasets only; --harbor-jobs writes every ended trial of the run`,
  );
}

/** A job's name is the name of its folder. */
export function parseJobName(name: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name)) return name;
  throw new InvalidArgumentError("give letters, digits, dots, dashes and underscores.");
}
