import { listSnapshots } from "@tracemill/core/ingest/chain/list-snapshots.ts";
import type { SnapshotManifest } from "@tracemill/core/ingest/manifest.ts";
import { Command } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../aws/place.ts";
import type { CliContext, Home } from "../context.ts";
import { changesText } from "../ingest-progress.ts";
import { table } from "../tables.ts";

const help = `
Examples:
  tracemill snapshots prod
  tracemill prepare prod --snapshot snap_01J…

A full snapshot begins a chain; an incremental one holds what is new or has changed since the one before it. \`tasks\`
and \`solutions\` are those of the source as of that snapshot.`;

/** `tracemill snapshots`. */
export function snapshotsCommand(context: CliContext): Command {
  return withPlace(new Command("snapshots"))
    .description("list the snapshots of a source, oldest first")
    .argument("[source]", "name of the source (default: all)")
    .option("--json", "one JSON line a snapshot")
    .addHelpText("after", help)
    .action((source: string | undefined, options: PlaceOptions) =>
      inHome(options, context, (home) => listed(source, home, context)),
    );
}

async function listed(wanted: string | undefined, home: Home, { out }: CliContext): Promise<void> {
  const rows: string[][] = [];
  for await (const manifest of listSnapshots(home.objects, wanted)) {
    out.event(summaryOf(manifest));
    const { source, snapshotId, kind, completedAt, state, counts } = manifest;
    const changes = kind === "full" ? "" : changesText(counts);
    const sizes = [state.tasks, state.solutions].map((count) => count.toLocaleString("en-US"));
    rows.push([source, snapshotId, kind, completedAt, ...sizes, changes]);
  }
  const of = wanted === undefined ? "" : ` of \`${wanted}\``;
  out.text(
    rows.length === 0
      ? `no whole snapshot${of} here; run \`tracemill ingest\` first`
      : table(["source", "snapshot", "kind", "completed", "tasks", "solutions", "changes"], rows),
  );
}

/** A manifest without the list of its files. */
function summaryOf(manifest: SnapshotManifest) {
  const { source, snapshotId, kind, parent, startedAt, completedAt, since, state, counts } = manifest;
  return { source, snapshotId, kind, parent, startedAt, completedAt, since, state, counts };
}
