import { TracemillError } from "@tracemill/core/errors.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { CliContext, CloudHome, Home, LocalHome, Place } from "../context.ts";

/** What a command line says about where runs live. */
export interface PlaceOptions {
  on?: "local" | "aws";
  stage?: string;
  region?: string;
}

/** Adds `--on`, `--stage` and `--region`. */
export function withPlace(command: Command): Command {
  return withStage(
    command.addOption(
      new Option("--on <home>", "where runs live: this machine, or AWS").choices(["local", "aws"]),
    ),
  );
}

/** The same for commands that only AWS has; `--on aws` may be said, and need not. */
export function withAws(command: Command): Command {
  return withStage(command.addOption(new Option("--on <home>").choices(["aws"]).hideHelp()));
}

/** Adds `--stage` and `--region`. */
export function withStage(command: Command): Command {
  return command
    .option("--stage <name>", "the deployed stage (default: $TRACEMILL_STAGE, or dev)", stageName)
    .option("--region <name>", "its region (default: as the AWS SDK finds it)", regionName);
}

/** Whether a command is about AWS: it says so, or names a stage or a region, or the environment says so. */
export function isOnAws({ on, stage, region }: PlaceOptions, context: CliContext): boolean {
  if (on !== undefined) return on === "aws";
  if (stage !== undefined || region !== undefined) return true;
  const { on: usual } = context.config;
  if (usual === "aws" || usual === "local") return usual === "aws";
  throw new TracemillError("invalid-input", `TRACEMILL_ON is ${usual}; it takes \`local\` or \`aws\``);
}

/** The stage that a command names, or the usual one. */
export function placeOf({ stage, region }: PlaceOptions, { config }: CliContext): Place {
  const name = stage ?? config.stage;
  if (!stagePattern.test(name))
    throw new TracemillError("invalid-input", `TRACEMILL_STAGE is ${JSON.stringify(name)}: ${stageWords}`);
  return { stage: name, ...(region === undefined ? {} : { region }) };
}

/** Runs `work` on the stores that a command names, and closes them. */
export async function inHome<T>(
  options: PlaceOptions,
  context: CliContext,
  work: (home: Home) => Promise<T>,
): Promise<T> {
  return isOnAws(options, context) ? inCloud(options, context, work) : inLocal(context, work);
}

export async function inLocal<T>(context: CliContext, work: (home: LocalHome) => Promise<T>): Promise<T> {
  const home = await context.openHome();
  try {
    return await work(home);
  } finally {
    await home.close();
  }
}

export async function inCloud<T>(
  options: PlaceOptions,
  context: CliContext,
  work: (home: CloudHome) => Promise<T>,
): Promise<T> {
  const home = await context.openCloud(placeOf(options, context));
  try {
    return await work(home);
  } finally {
    await home.close();
  }
}

/** Stages are part of the names of what they deploy; the deployment takes the same. */
const stagePattern = /^[a-z][a-z0-9-]{0,19}$/;
const stageWords = "A stage is a letter and then lower-case letters, digits and dashes, 20 at most.";

function stageName(text: string): string {
  if (stagePattern.test(text)) return text;
  throw new InvalidArgumentError(stageWords);
}

function regionName(text: string): string {
  if (/^[a-z]{2}(-[a-z]+)+-\d$/.test(text)) return text;
  throw new InvalidArgumentError("A region is called like us-east-1.");
}
