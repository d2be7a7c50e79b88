import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { buildCommand } from "./reward-model/build.ts";
import { checkCommand } from "./reward-model/check.ts";
import { iwaCommand } from "./reward-model/iwa.ts";

const help = `
Examples:
  tracemill reward-model build prod --name shop
  tracemill reward-model build latest run_01J… raw_evaluations/
  tracemill reward-model build prod --labels --model labeler --model-url http://127.0.0.1:8000/v1
  tracemill reward-model check prod
  tracemill reward-model iwa raw_evaluations/ --output .

INPUT is a source (its newest snapshot, or source:NAME@SNAPSHOT), a run (its id, the start of one, its name, or
\`latest\`), a JSONL file of episodes, or a folder of such files. Where a name could be several of these, say
source:NAME, run:NAME or file:PATH. docs/reward-model.md has the tables.`;

/** `tracemill reward-model VERB`. */
export function rewardModelCommand(context: CliContext): Command {
  return new Command("reward-model")
    .description("turn solutions and trials into data for reward models")
    .addHelpText("after", help)
    .addCommand(buildCommand(context))
    .addCommand(checkCommand(context))
    .addCommand(iwaCommand(context));
}
