import { listRuns } from "@tracemill/core/run/runs.ts";
import { Command } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../aws/place.ts";
import { noRuns } from "../chosen-run.ts";
import type { CliContext, Home } from "../context.ts";
import { atLeast } from "../flag-values.ts";
import { table } from "../tables.ts";

export function runsCommand(context: CliContext): Command {
  return withPlace(new Command("runs"))
    .description("list runs, newest first")
    .option("--limit <n>", "how many", atLeast(1), 20)
    .option("--json", "one JSON line a run")
    .addHelpText("after", "\nExample:\n  tracemill runs --limit 5")
    .action((options: PlaceOptions & { limit: number }) =>
      inHome(options, context, (home) => listed(options.limit, home, context)),
    );
}

async function listed(limit: number, home: Home, { out }: CliContext): Promise<void> {
  const rows: string[][] = [];
  for await (const run of listRuns(home.records, { newestFirst: true })) {
    if (rows.length >= limit) break;
    out.event(run);
    rows.push([run.runId, run.name, run.status, run.createdAt]);
  }
  out.text(rows.length === 0 ? noRuns(home) : table(["run", "name", "status", "created"], rows));
}
