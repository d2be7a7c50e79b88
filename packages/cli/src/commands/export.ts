import { exportDataset } from "@tracemill/core/dataset/export.ts";
import type { DatasetManifest } from "@tracemill/core/dataset/manifest.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { DatasetFormat, ExportSpec } from "@tracemill/core/run/export-spec.ts";
import { findRun, readRunSpec } from "@tracemill/core/run/runs.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import { Command, InvalidArgumentError } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../aws/place.ts";
import type { CliContext, Home } from "../context.ts";
import { addSplit } from "../flag-values.ts";
import { table } from "../tables.ts";
import { trialProgress } from "../trial-progress.ts";
import { exportHarborJob, parseJobName, refuseDatasetOptions } from "./export-harbor.ts";

interface Options extends PlaceOptions {
  name?: string;
  format?: string[];
  minReward?: number;
  outcome?: string[];
  agent?: string[];
  split?: Record<string, number>;
  seed?: number;
  artFailureReward?: number;
  episodes?: string;
  dedupe: boolean;
  json?: boolean;
  harborJobs?: string;
  jobName?: string;
}

const help = `
Examples:
  tracemill export latest
  tracemill export latest --name forms --format sft --format trials --min-reward 1
  tracemill export latest --format art      # trajectory groups for openpipe-art
  tracemill export run_01J… --split train=0.8 --split val=0.1 --split test=0.1 --seed 7
  tracemill export latest --harbor-jobs jobs && harbor view jobs

RUN is an id, the start of one, a run's name, or \`latest\`. What is not given is as in the run's spec. The same
options give the same version and files; an export that was stopped goes on. docs/datasets.md has the formats,
docs/harbor.md says what a Harbor job folder holds.`;

/** `tracemill export RUN`: a dataset from a run, again or with other options. */
export function exportCommand(context: CliContext): Command {
  return withPlace(new Command("export"))
    .description("write a run's trials as a dataset")
    .argument("<run>", "id, start of an id, name, or `latest`")
    .option("--name <name>", "dataset name (default: the run's)")
    .option("--format <format>", `${DatasetFormat.options.join(", ")}; may be repeated`, append)
    .option("--min-reward <number>", "leave lower rewards out of sft and harbor", parseNumber)
    .option("--outcome <kind>", "outcomes that sft, harbor and art take; may be repeated", append)
    .option("--agent <name>", "agents that sft, harbor and art take; may be repeated", append)
    .option("--split <name=share>", "for example train=0.8; repeat until they add up to 1", addSplit)
    .option("--seed <integer>", "deals groups to splits", parseNumber)
    .option("--episodes <which>", "harbor rows: `last` or `all`")
    .option(
      "--art-failure-reward <number>",
      "art: failed rollouts are trajectories with this reward",
      parseNumber,
    )
    .option("--no-dedupe", "keep conversations that come more than once")
    .option("--harbor-jobs <dir>", "instead of a dataset: a Harbor job folder in this folder of jobs")
    .option("--job-name <name>", "name of the Harbor job folder (default: NAME__RUN)", parseJobName)
    .option("--json", "the dataset's manifest, or what was written, as one JSON line")
    .addHelpText("after", help)
    .action((run: string, options: Options) => exportAction(run, options, context));
}

async function exportAction(reference: string, options: Options, context: CliContext): Promise<void> {
  const { harborJobs, jobName } = options;
  if (harborJobs !== undefined) {
    refuseDatasetOptions(options);
    return inHome(options, context, (home) =>
      exportHarborJob(reference, { harborJobs, jobName }, home, context),
    );
  }
  await inHome(options, context, async (home) => {
    const run = await findRun(reference, home.records);
    const runSpec = await readRunSpec(run.runId, home.objects);
    const spec = exportSpecOf(options, runSpec.export, run.name);
    const deps = { ...home, signal: context.signal, onProgress: trialProgress("export", context) };
    const manifest = await exportDataset({ runId: run.runId, spec, runSpec }, deps);
    context.out.event({ type: "dataset", ...manifest });
    context.out.text(datasetText(manifest, home));
  });
}

/** The run's own export, changed by what was given. */
function exportSpecOf(options: Options, base: ExportSpec | undefined, runName: string): ExportSpec {
  const { name, format, minReward, outcome, agent, split, seed, artFailureReward, episodes, dedupe } =
    options;
  const given = {
    name,
    formats: format,
    minReward,
    outcomes: outcome,
    agents: agent,
    splits: split,
    seed,
    artFailureReward,
    episodes,
    dedupe: dedupe ? undefined : false,
  };
  const changes = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return parseAs(ExportSpec, { name: runName, ...base, ...changes }, "export options", "invalid-spec");
}

function datasetText(manifest: DatasetManifest, home: Home): string {
  const { name, version, counts, leftOut, redactions = {} } = manifest;
  const rows = Object.entries(counts).flatMap(([format, splits]) =>
    Object.entries(splits ?? {}).map(([split, count]) => [format, split, String(count.rows)]),
  );
  const reasons = Object.entries(leftOut.formats).flatMap(([format, byReason]) =>
    Object.entries(byReason ?? {}).map(([reason, count]) => `left out of ${format}: ${count} (${reason})`),
  );
  const open = leftOut.notEnded === 0 ? [] : [`left out: ${leftOut.notEnded} trials that have not ended`];
  const redacted = Object.entries(redactions).map(([kind, count]) => `redacted: ${count} × ${kind}`);
  const folder = `dataset: ${home.locate(objectKeys.dataset(name, version))}`;
  return [
    `${name} ${version}`,
    "",
    table(["format", "split", "rows"], rows),
    "",
    ...reasons,
    ...open,
    ...redacted,
    folder,
  ].join("\n");
}

function append(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

function parseNumber(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !Number.isFinite(number)) throw new InvalidArgumentError("give a number.");
  return number;
}
