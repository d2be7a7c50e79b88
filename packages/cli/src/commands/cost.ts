import { readFile } from "node:fs/promises";
import { agentRegistry } from "@tracemill/agents/registry.ts";
import { assumedTasks, tasksOfAbsentSource } from "@tracemill/core/cost/assumed-tasks.ts";
import { defaultBasis, parseCostFile } from "@tracemill/core/cost/cost-file.ts";
import { type CostBasis, type Estimate, estimate } from "@tracemill/core/cost/estimate.ts";
import { type PlanShape, ShapeBuilder } from "@tracemill/core/cost/shape.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { resolvePlan } from "@tracemill/core/pipeline/plan-run.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { TaskRef } from "@tracemill/core/run/trial.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { parse } from "yaml";
import type { CliContext } from "../context.ts";
import { costText } from "../cost-text.ts";
import { tasksHere } from "../dry-run.ts";
import { atLeast } from "../flag-values.ts";
import { readSpecFile } from "../spec-file.ts";

interface Options {
  on: "aws";
  prices?: string;
  secondsPerTrial?: number;
  tasks?: number;
  spot?: boolean;
  onDemand?: boolean;
  json?: boolean;
}

const help = `
Examples:
  tracemill cost nightly.yaml
  tracemill cost nightly.yaml --on-demand --seconds-per-trial 600
  tracemill cost nightly.yaml --prices ours.yaml --json

Needs no account and no network: prices and limits are those of a dated list (docs/cost.md). A file of --prices
replaces any of them:
  prices: { asOf: 2027-01, models: { openai/gpt-5.2: { perMillionPrompt: 1.25, perMillionCompletion: 10 } } }
  limits: { newAccountVcpus: { standardSpot: 640 } }
  assumptions: { modelAgentSeconds: 420, jobs: { host: { instance: m7g.2xlarge } } }`;

export function costCommand(context: CliContext): Command {
  return new Command("cost")
    .description("project a run's time and cost on AWS from its plan")
    .argument("<spec>", "the run's spec, as for `run`")
    .addOption(new Option("--on <home>", "where it would run").choices(["aws"]).default("aws"))
    .option("--prices <file>", "prices, limits and assumptions of your own: YAML or JSON")
    .option("--seconds-per-trial <n>", "what an attempt of an agent takes", positive)
    .option("--tasks <n>", "tasks that a source will give, when it is not ingested yet", atLeast(1))
    .addOption(
      new Option("--spot", "interruptible capacity first (default: as the spec says)").conflicts("onDemand"),
    )
    .option("--on-demand", "on-demand capacity only")
    .option("--json", "the estimate as one JSON line")
    .addHelpText("after", help)
    .action((file: string, options: Options) => costAction(file, options, context));
}

async function costAction(file: string, options: Options, context: CliContext): Promise<void> {
  const basis = withSeconds(await readBasis(options.prices), options.secondsPerTrial);
  const spec = withTerms(await readSpecFile(file), options);
  const { shape, notes } = await shapeHere(spec, options, context);
  if (shape.trials === 0) {
    throw new TracemillError(
      "invalid-spec",
      `${file}: its plan has no trials here; see \`tracemill run ${file} --dry-run\`, or give --tasks N for a source that is not ingested yet`,
    );
  }
  const result = estimate(shape, spec, basis);
  report({ spec, shape, basis, result, notes }, context);
}

interface Report {
  spec: RunSpec;
  shape: PlanShape;
  basis: CostBasis;
  result: Estimate;
  notes: string[];
}

function report({ spec, shape, basis, result, notes }: Report, { out }: CliContext): void {
  const { groups: _, ...plan } = shape;
  const { asOf, region } = basis.prices;
  out.event({ type: "cost", plan, ...result, prices: basis.prices, assumptions: basis.assumptions, notes });
  for (const note of notes) out.note(`note: ${note}`);
  out.text(costText({ spec, shape, basis, result }));
  out.text(`\nprices: ${asOf}, ${region}; Spot is an estimate (docs/cost.md)`);
}

function withTerms(spec: RunSpec, { spot, onDemand }: Options): RunSpec {
  if (spot !== true && onDemand !== true) return spec;
  return { ...spec, aws: { ...spec.aws, spot: spot === true } };
}

function withSeconds(basis: CostBasis, seconds: number | undefined): CostBasis {
  if (seconds === undefined) return basis;
  const agents = { modelAgentSeconds: seconds, scriptedAgentSeconds: seconds };
  return { ...basis, assumptions: { ...basis.assumptions, ...agents } };
}

async function readBasis(file: string | undefined): Promise<CostBasis> {
  if (file === undefined) return defaultBasis;
  let value: unknown;
  try {
    value = parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new TracemillError("invalid-input", `--prices ${file}: ${messageOf(error).trim()}`, {
      cause: error,
    });
  }
  return parseCostFile(value ?? {}, file);
}

/** The spec resolved over what is here, with stand-ins for what is not. */
async function shapeHere(
  spec: RunSpec,
  options: Options,
  context: CliContext,
): Promise<{ shape: PlanShape; notes: string[] }> {
  const notes: string[] = [];
  const standIns = (source: string): Iterable<TaskRef> => {
    const count = options.tasks ?? spec.source?.maxTasks ?? assumedTasks;
    notes.push(
      `nothing of \`${source}\` is prepared here: ${count.toLocaleString("en-US")} tasks with tests, twenty to an environment, are assumed (--tasks N)`,
    );
    return tasksOfAbsentSource(source, count);
  };
  const agents = agentRegistry();
  const builder = new ShapeBuilder(spec, agents);
  const home = await context.openHome();
  try {
    const tasks = tasksHere(spec, home, context, standIns);
    const plan = await resolvePlan({ runId: "cost", spec, agents, tasks }, async (filled) =>
      builder.add(filled),
    );
    for (const [reason, count] of Object.entries(plan.excludedBy))
      notes.push(`left out: ${count} × ${reason}`);
    return { shape: builder.finish(plan), notes };
  } finally {
    await home.close();
  }
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("It wants a number above 0.");
}
