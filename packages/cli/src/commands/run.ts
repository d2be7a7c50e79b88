import { TracemillError } from "@tracemill/core/errors.ts";
import type { PipelineDeps } from "@tracemill/core/pipeline/deps.ts";
import type { SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import { summaryNow } from "@tracemill/core/report/report-now.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import type { ModelFlags } from "@tracemill/core/run/roles.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { createRun, readRunSpec } from "@tracemill/core/run/runs.ts";
import type { RunSpec, SandboxName } from "@tracemill/core/run/spec.ts";
import { type Drive, driveRun } from "@tracemill/local/driver.ts";
import { Command } from "commander";
import { inCloud, inLocal, isOnAws, type PlaceOptions, withPlace } from "../aws/place.ts";
import { resumeOnAws, runOnAws } from "../aws/run.ts";
import { chosenRun, requireOwn } from "../chosen-run.ts";
import type { CliContext, Home, LocalHome } from "../context.ts";
import { openSandboxes, pipelineDeps } from "../deps.ts";
import { describePlan } from "../dry-run.ts";
import { goOnWords } from "../go-on.ts";
import { showProgress } from "../progress.ts";
import { sayFinished } from "../report-run.ts";
import { openRunModels, requireModels, warnAboutPrices } from "../run-models.ts";
import { choiceHere, choiceOnAws, sandboxOption } from "../sandbox-choice.ts";
import { checkSpec, type LocalSandbox, requireLocal } from "../spec-check.ts";
import { readSpecFile } from "../spec-file.ts";

interface Options extends PlaceOptions, ModelFlags {
  sandbox?: SandboxName;
  resume?: string;
  dryRun?: boolean;
  detach?: boolean;
  json?: boolean;
}

const help = `
Examples:
  tracemill run examples/pipelines/folder.yaml
  tracemill run nightly.yaml --dry-run
  tracemill run examples/pipelines/terminus.yaml --model openai/gpt-5.2
  tracemill run --resume latest
  tracemill run nightly.yaml --on aws --stage prod

A spec says where tasks come from, which agents run, how often, and what is exported:
  name: first
  tasks: [./examples/tasks]
  agents: [{ name: oracle }, { name: nop }]
  attempts: 1
  export: { name: first, formats: [sft, trials] }
docs/running.md has every key. Ctrl-C finishes what is in flight; a second one stops at once. On AWS everything is
checked before anything starts, and Ctrl-C only leaves: \`tracemill cancel RUN\` ends a run.`;

export function runCommand(context: CliContext): Command {
  return withPlace(new Command("run"))
    .description("run a pipeline, or go on with one that was stopped")
    .argument("[spec]", "the run's spec: YAML, JSON, or a TypeScript module that exports `spec`")
    .option("--resume <run>", "go on with a run: its id, the start of its id, its name, or `latest`")
    .option("--dry-run", "say what would run, and run nothing")
    .addOption(sandboxOption())
    .option("--model <model>", "the model of every agent that takes one: provider/model, or a URL")
    .option("--judge <model>", "the model that judges")
    .option("--detach", "on AWS: start the run and return at once")
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
  const { resume } = options;
  const forNewRuns = (["sandbox", "model", "judge"] as const).find((flag) => options[flag] !== undefined);
  if (resume !== undefined && forNewRuns !== undefined) {
    throw new TracemillError(
      "invalid-input",
      `--${forNewRuns} is for new runs: a run that is resumed keeps its own`,
    );
  }
  if (isOnAws(options, context)) {
    const spec =
      file === undefined ? undefined : await readSpecFile(file, choiceOnAws(options.sandbox), options);
    await inCloud(options, context, async (cloud) => {
      if (spec !== undefined) return runOnAws(spec, options, cloud, context);
      return resumeOnAws(await chosenRun(resume ?? "", cloud), options, cloud, context);
    });
    return;
  }
  if (options.detach === true)
    throw new TracemillError("invalid-input", "--detach is for runs on AWS: add `--on aws`");
  await inLocal(context, (home) =>
    resume === undefined
      ? startHere(file ?? "", options, home, context)
      : resumeHere(resume, options, home, context),
  );
}

async function startHere(
  file: string,
  options: Options,
  home: LocalHome,
  context: CliContext,
): Promise<void> {
  const production = productionOf(context);
  const spec = await readSpecFile(file, choiceHere(options.sandbox, context), options);
  if (options.dryRun === true) return describePlan(spec, home, context);
  await checkSpec(spec, home);
  await requireModels(spec, context);
  requireProduction(spec, production);
  const run = await createRun(spec, { ...home, clock: context.clock });
  await execute({ run, spec, resumed: false, production }, home, context);
}

/** Goes on with a run on this machine. @param reference what `chosenRun` takes. */
export async function resumeHere(
  reference: string,
  options: Pick<Options, "dryRun">,
  home: LocalHome,
  context: CliContext,
): Promise<void> {
  const run = await chosenRun(reference, home);
  await requireOwn(run, home.records);
  const spec = await readRunSpec(run.runId, home.objects);
  if (options.dryRun === true) return describePlan(spec, home, context);
  requireLocal(spec);
  await requireModels(spec, context);
  await execute({ run, spec, resumed: true, production: productionOf(context) }, home, context);
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
export async function execute(execution: Execution, home: LocalHome, context: CliContext): Promise<Drive> {
  const { run, spec, resumed } = execution;
  const { out, clock } = context;
  const startedAt = clock.now();
  out.event({ type: "run", ...run });
  out.text(`run ${run.runId} (${run.name})${resumed ? ", resumed" : ""}`);
  requireLocal(spec);
  warnAboutSandbox(spec, context);
  warnAboutPrices(spec, context);
  const sandboxes = await readySandboxes(spec.sandbox, context);
  const progress = showProgress(out, clock);
  const models = await openRunModels(spec, home, context);
  const options = { ...execution, runId: run.runId, startedAt, sandboxes, models, onEvent: progress.onEvent };
  let drive: Drive;
  try {
    drive = await driveRun(run.runId, pipelineDeps(context, home, options));
  } finally {
    progress.stop();
    await sandboxes.close();
  }
  if (drive.run.status === "stopped") reportStopped(drive.run, execution.goOn, context);
  else await reportFinished(drive.run, home, context);
  out.text(`time: ${formatDuration(clock.now() - startedAt)}`);
  return drive;
}

/** @throws TracemillError `sandbox-unavailable` before any trial is begun in vain. */
async function readySandboxes(name: LocalSandbox, context: CliContext): Promise<SandboxProvider> {
  if (name === "docker") {
    const { connect, localEngine } = await import("@tracemill/agents/sandbox/docker/connect.ts");
    await connect(localEngine());
  }
  return openSandboxes(name, context);
}

function requireProduction(spec: RunSpec, production: PipelineDeps["production"]): void {
  const { source } = spec;
  if (source === undefined || source.snapshot !== undefined || production !== undefined) return;
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
  if (spec.sandbox !== "namespace") return;
  const foreign = spec.source !== undefined || spec.tasks.some((place) => place.startsWith("snapshot:"));
  if (!foreign) return;
  out.note(
    "note: these tasks are not your own, and run in namespaces, a weaker boundary\n      than a container (docs/sandboxes.md)",
  );
}

function reportStopped(
  run: Extract<RunRecord, { status: "stopped" }>,
  goOn: string | undefined,
  context: CliContext,
): void {
  context.exitCode = context.draining.aborted ? 130 : 1;
  context.out.event({ type: "stopped", runId: run.runId, reason: run.reason });
  const next = goOnWords(run.reason, goOn ?? `tracemill run --resume ${run.runId}`);
  context.out.text(`\nstopped: ${run.reason}\n${next}`);
}

/** One screen: what a run came to, and where its files are. */
export async function reportFinished(run: RunRecord, home: Home, { out }: CliContext): Promise<void> {
  sayFinished(run, (await summaryNow(run, home)).summary, home, out);
}
