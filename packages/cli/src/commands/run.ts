import { join, relative } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import { summarize } from "@tracemill/core/pipeline/results.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { createRun, findRun, readRunSpec } from "@tracemill/core/run/runs.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { type Drive, driveRun } from "@tracemill/local/driver.ts";
import { Command } from "commander";
import type { CliContext, Home } from "../context.ts";
import { openSandboxes, pipelineDeps } from "../deps.ts";
import { describePlan } from "../dry-run.ts";
import { showProgress } from "../progress.ts";
import { checkSpec } from "../spec-check.ts";
import { readSpecFile } from "../spec-file.ts";
import { summaryText } from "../summary.ts";

interface Options {
  resume?: string;
  dryRun?: boolean;
  json?: boolean;
}

const help = `
Examples:
  tracemill run examples/pipelines/folder.yaml
  tracemill run nightly.yaml --dry-run
  tracemill run --resume latest

A spec says where tasks come from, which agents run, how often, and what is exported:
  name: first
  tasks: [./examples/tasks]
  agents: [{ name: oracle }, { name: nop }]
  attempts: 1
  export: { name: first, formats: [sft, trials] }
docs/running.md has every key. Ctrl-C finishes what is in flight; a second one stops at once.`;

export function runCommand(context: CliContext): Command {
  return new Command("run")
    .description("run a pipeline, or go on with one that was stopped")
    .argument("[spec]", "the run's spec: YAML, JSON, or a TypeScript module that exports `spec`")
    .option("--resume <run>", "go on with a run: its id, the start of its id, its name, or `latest`")
    .option("--dry-run", "say what would run, and run nothing")
    .option("--json", "events as JSON lines")
    .addHelpText("after", help)
    .action((file: string | undefined, options: Options) => runAction(file, options, context));
}

async function runAction(file: string | undefined, options: Options, context: CliContext): Promise<void> {
  if ((file === undefined) === (options.resume === undefined)) {
    throw new TracemillError(
      "invalid-input",
      "give either a spec file or --resume RUN; see `tracemill run --help`",
    );
  }
  const production = productionOf(context);
  const home = await context.openHome();
  try {
    if (options.resume !== undefined) {
      const run = await findRun(options.resume, home.records);
      const spec = await readRunSpec(run.runId, home.objects);
      if (options.dryRun === true) return await describePlan(spec, home, context);
      await execute({ run, spec, resumed: true, production }, home, context);
      return;
    }
    const spec = await readSpecFile(file ?? "");
    if (options.dryRun === true) return await describePlan(spec, home, context);
    await checkSpec(spec, home);
    requireProduction(spec, production);
    const run = await createRun(spec, { ...home, clock: context.clock });
    await execute({ run, spec, resumed: false, production }, home, context);
  } finally {
    await home.close();
  }
}

interface Execution {
  run: RunRecord;
  spec: RunSpec;
  /** Whether it goes on with an earlier run. */
  resumed: boolean;
  production: PipelineDeps["production"];
  /** What to do after it was stopped, in words. Default: `tracemill run --resume RUN`. */
  goOn?: string;
}

/** Drives a run to its end or to where it is stopped, and says what came of it. */
export async function execute(execution: Execution, home: Home, context: CliContext): Promise<Drive> {
  const { run, spec, resumed } = execution;
  const { out, clock } = context;
  const startedAt = clock.now();
  out.event({ type: "run", ...run });
  out.text(`run ${run.runId} (${run.name})${resumed ? ", resumed" : ""}`);
  warnAboutSandbox(spec, context);
  const progress = showProgress(out, clock);
  const sandboxes = openSandboxes(home.dir);
  const options = { ...execution, runId: run.runId, startedAt, sandboxes, onEvent: progress.onEvent };
  let drive: Drive;
  try {
    drive = await driveRun(run.runId, pipelineDeps(context, home, options));
  } finally {
    progress.stop();
  }
  if (drive.run.status === "stopped") reportStopped(drive.run, execution.goOn, context);
  else await reportFinished(drive.run, home, context);
  out.text(`time: ${formatDuration(clock.now() - startedAt)}`);
  return drive;
}

function requireProduction(spec: RunSpec, production: PipelineDeps["production"]): void {
  if (spec.source === undefined || production !== undefined) return;
  throw new TracemillError(
    "invalid-spec",
    "`source` wants the production API: set TRACEMILL_PROD_BASE_URL and TRACEMILL_PROD_API_TOKEN",
  );
}

function productionOf({ config }: CliContext): PipelineDeps["production"] {
  if (config.prodBaseUrl === undefined || config.prodToken === undefined) return undefined;
  return { baseUrl: config.prodBaseUrl, token: config.prodToken };
}

/** Namespaces are a weaker boundary than a container: said once to whoever runs tasks of others. */
function warnAboutSandbox(spec: RunSpec, { out }: CliContext): void {
  const foreign = spec.source !== undefined || spec.tasks.some((place) => place.startsWith("snapshot:"));
  if (!foreign) return;
  out.note(
    "note: these tasks are not your own, and run in namespaces, a weaker boundary\n      than a container (docs/sandbox.md)",
  );
}

function reportStopped(
  run: Extract<RunRecord, { status: "stopped" }>,
  goOn: string | undefined,
  context: CliContext,
): void {
  context.exitCode = context.draining.aborted ? 130 : 1;
  context.out.event({ type: "stopped", runId: run.runId, reason: run.reason });
  context.out.text(`\nstopped: ${run.reason}\ngo on with: ${goOn ?? `tracemill run --resume ${run.runId}`}`);
}

/** One screen: what a run came to, and where its files are. */
export async function reportFinished(run: RunRecord, home: Home, { out }: CliContext): Promise<void> {
  const summary = await summarize(run.runId, home);
  out.event({ type: "finished", run, summary });
  out.text(`\n${summaryText(summary)}\n`);
  const failed = Object.keys(summary.outcomes).some((kind) => kind !== "scored");
  if (failed) out.text(`reasons: tracemill show ${run.runId} --trials`);
  out.text(`results: ${pathOf(home, objectKeys.runResults(run.runId))}`);
  if (run.status === "finished" && run.dataset !== undefined)
    out.text(`dataset: ${pathOf(home, run.dataset)}`);
}

/** Where an object lies on this machine. */
export function pathOf(home: Home, key: string): string {
  const path = join(home.dir, "objects", key);
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
