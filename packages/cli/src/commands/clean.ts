import { Duration } from "@tracemill/core/run/duration.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import type { CleanDeps, CleanOptions } from "../clean-home.ts";
import type { CliContext } from "../context.ts";

const week = 7 * 86_400_000;

const help = `
Examples:
  tracemill clean --dry-run
  tracemill clean --images --layers --older-than 2d

Without flags it removes what killed runs have left behind: containers, networks and volumes in Docker, folders of
sandboxes, temporary files. What is built for tasks (images, layers) is kept from run to run until you ask for its
removal; the next run of such a task builds it again. Nothing goes that a live process uses.`;

export function cleanCommand(context: CliContext, deps?: CleanDeps): Command {
  return new Command("clean")
    .description("remove what killed runs have left behind, and what was built for tasks long ago")
    .option("--images", "also Docker images that were built for tasks, with their build logs")
    .option("--layers", "also environments that were built for the namespace sandbox, and programs of agents")
    .addOption(
      new Option("--older-than <age>", "of those, what was built (in Docker) or last used (layers) before")
        .argParser(age)
        .default(week, "7d"),
    )
    .option("--dry-run", "say what would be removed, and remove nothing")
    .option("--json", "one JSON line for each thing")
    .addHelpText("after", help)
    .action(async (options: CleanOptions) => {
      // Docker's client takes 0.2 s to load, which other commands do not wait for.
      const { clean } = await import("../clean-home.ts");
      await clean(options, context, deps);
    });
}

function age(text: string): number {
  const parsed = Duration.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError("It wants an age such as 12h or 7d.");
}
