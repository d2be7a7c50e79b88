import { listRuns } from "@tracemill/core/run/runs.ts";
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { atLeast } from "../flag-values.ts";
import { table } from "../tables.ts";

export function runsCommand(context: CliContext): Command {
  return new Command("runs")
    .description("list runs, newest first")
    .option("--limit <n>", "how many", atLeast(1), 20)
    .option("--json", "one JSON line a run")
    .addHelpText("after", "\nExample:\n  tracemill runs --limit 5")
    .action(async (options: { limit: number }) => {
      const home = await context.openHome();
      try {
        const rows: string[][] = [];
        for await (const run of listRuns(home.records, { newestFirst: true })) {
          if (rows.length >= options.limit) break;
          context.out.event(run);
          rows.push([run.runId, run.name, run.status, run.createdAt]);
        }
        context.out.text(
          rows.length === 0
            ? "no runs yet; try: tracemill demo"
            : table(["run", "name", "status", "created"], rows),
        );
      } finally {
        await home.close();
      }
    });
}
