import { Command } from "commander";
import { inCloud, inLocal, isOnAws, type PlaceOptions, withPlace } from "../aws/place.ts";
import { resumeOnAws } from "../aws/run.ts";
import { chosenRun } from "../chosen-run.ts";
import type { CliContext } from "../context.ts";
import { resumeHere } from "./run.ts";

interface Options extends PlaceOptions {
  detach?: boolean;
}

const help = `
Examples:
  tracemill resume latest
  tracemill resume run_01J… --on aws --stage prod

Trials that ended with a valid outcome are not run again; those that failed otherwise are tried again. On this machine
it does what \`tracemill run --resume RUN\` does.`;

export function resumeCommand(context: CliContext): Command {
  return withPlace(new Command("resume"))
    .description("go on with a run that was stopped")
    .argument("<run>", "id, start of an id, name, or `latest`")
    .option("--detach", "on AWS: start it and return at once")
    .option("--json", "events as JSON lines")
    .addHelpText("after", help)
    .action((reference: string, options: Options) => {
      if (!isOnAws(options, context))
        return inLocal(context, (home) => resumeHere(reference, {}, home, context));
      return inCloud(options, context, async (cloud) =>
        resumeOnAws(await chosenRun(reference, cloud), options, cloud, context),
      );
    });
}
