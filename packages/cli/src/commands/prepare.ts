import { TracemillError } from "@tracemill/core/errors.ts";
import { latestSnapshot } from "@tracemill/core/ingest/manifest.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { prepareSnapshot } from "@tracemill/core/prepare/prepare.ts";
import { Command } from "commander";
import type { CliContext } from "../context.ts";

const help = `
Examples:
  tracemill prepare prod
  tracemill prepare prod --snapshot snap_01J…

\`tracemill snapshots prod\` lists the snapshots. Turns the rows of the source into tasks: rows that carry a Harbor task or a deciding command become Harbor
tasks, question-and-answer and tool rows become scenarios; recorded solutions become reference trajectories.
Rows that cannot be turned into a task are listed with the reason, never dropped.`;

export function prepareCommand(context: CliContext): Command {
  return new Command("prepare")
    .description("turn a snapshot's rows into tasks")
    .argument("[source]", "name of the source", "prod")
    .option("--snapshot <id>", "the source as of this snapshot (default: the newest whole one)")
    .option("--json", "the manifest as JSON")
    .addHelpText("after", help)
    .action(async (source: string, options: { snapshot?: string }) => {
      const home = await context.openHome();
      try {
        const snapshotId = options.snapshot ?? (await latestSnapshot(home.records, source));
        if (snapshotId === undefined) {
          throw new TracemillError(
            "not-found",
            `no whole snapshot of \`${source}\` here; run \`tracemill ingest --source ${source}\` first`,
          );
        }
        const { objects } = home;
        const { clock, signal, out } = context;
        const manifest = await prepareSnapshot({ source, snapshotId }, { objects, clock, signal });
        out.event(manifest);
        out.text(`snapshot ${snapshotId} of ${source}`);
        for (const [name, count] of Object.entries(manifest.counts)) out.text(`  ${name}: ${count}`);
        out.text(`tasks: ${home.locate(objectKeys.preparedTasks(source, snapshotId))}`);
      } finally {
        await home.close();
      }
    });
}
