import { Command } from "commander";
import { cancelRun } from "../aws/cancel.ts";
import { inCloud, type PlaceOptions, withAws } from "../aws/place.ts";
import { chosenRun } from "../chosen-run.ts";
import type { CliContext } from "../context.ts";

const help = `
Example:
  tracemill cancel run_01J… --stage prod

Ends the run's execution and its jobs, and waits until they are gone. What was done is kept; \`tracemill resume RUN\`
goes on with it. A run on this machine is ended with Ctrl-C where it runs.`;

export function cancelCommand(context: CliContext): Command {
  return withAws(new Command("cancel"))
    .description("end a run on AWS, and its jobs")
    .argument("<run>", "id, start of an id, name, or `latest`")
    .option("--json", "the run's row as one JSON line")
    .addHelpText("after", help)
    .action((reference: string, options: PlaceOptions) =>
      inCloud(options, context, async (cloud) => {
        const run = await chosenRun(reference, cloud);
        const ended = await cancelRun(run, cloud, context);
        context.out.event(ended);
        context.out.text(`${ended.runId} (${ended.name}) ${ended.status}`);
        if (ended.status === "stopped")
          context.out.text(`go on with: tracemill resume ${ended.runId}${cloud.flags}`);
      }),
    );
}
