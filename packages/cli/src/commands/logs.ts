import { type StageName, stages } from "@tracemill/core/pipeline/stages.ts";
import { Duration } from "@tracemill/core/run/duration.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { sayLogs } from "../aws/logs.ts";
import { inCloud, type PlaceOptions, withAws } from "../aws/place.ts";
import type { CliContext } from "../context.ts";

interface Options extends PlaceOptions {
  follow?: boolean;
  only?: StageName;
  shard?: string;
  since?: number;
}

const help = `
Examples:
  tracemill logs latest --stage prod -f
  tracemill logs run_01J… --only trace --shard shd_0a1b…
  tracemill logs trl_0a1b2c… --since 1h

RUN is an id, the start of one, a run's name, or \`latest\`. --stage is the deployed stage; --only is a stage of the
pipeline. -f goes on until the run has ended. Attempts of runs on this machine: \`tracemill show TRIAL\`.`;

export function logsCommand(context: CliContext): Command {
  return withAws(new Command("logs"))
    .description("print what a run's functions and jobs on AWS said")
    .argument("<run-or-trial>", "a run, or a trial's id")
    .option("-f, --follow", "go on with what comes in")
    .addOption(
      new Option("--only <stage>", "one stage of the pipeline").choices(stages.map(({ name }) => name)),
    )
    .option("--shard <id>", "one shard of the plan")
    .option("--since <duration>", "the last 30m, 2h, … (default: all of the run)", duration)
    .option("--json", "one JSON line a log line")
    .addHelpText("after", help)
    .action((reference: string, options: Options) =>
      inCloud(options, context, (cloud) => sayLogs(reference, options, cloud, context)),
    );
}

function duration(text: string): number {
  const parsed = Duration.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError("It wants a duration such as 30m or 2h.");
}
