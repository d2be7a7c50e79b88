import { Argument, Command } from "commander";
import { inCloud, inLocal, type PlaceOptions, withAws } from "../aws/place.ts";
import { syncLedger } from "../aws/sync/ledger.ts";
import { syncHomes } from "../aws/sync/sync.ts";
import type { SyncTally } from "../aws/sync/tally.ts";
import { chosenRun } from "../chosen-run.ts";
import type { CliContext } from "../context.ts";

interface Options extends PlaceOptions {
  run?: string;
  prefix?: string;
  dryRun?: boolean;
}

const help = `
Examples:
  tracemill sync pull --stage prod --run latest     then: tracemill show latest, tracemill export latest
  tracemill sync push --stage prod --prefix raw/prod/
  tracemill sync pull --stage prod --dry-run

\`pull\` brings from AWS to this machine what is missing or older here, \`push\` the other way. Objects are compared by key
and size, rows by what they held after the last sync. What has changed on both sides is named and left alone. It may be
stopped at any moment; the same command goes on.`;

/** Conflicts that are printed for people. */
const shownConflicts = 20;

export function syncCommand(context: CliContext): Command {
  return withAws(new Command("sync"))
    .description("copy runs, tasks and datasets between this machine and AWS")
    .addArgument(new Argument("<direction>", "`pull`: from AWS, `push`: to AWS").choices(["pull", "push"]))
    .option(
      "--run <run>",
      "one run with its tasks and dataset: its id, the start of one, its name, or `latest`",
    )
    .option("--prefix <key>", "only objects whose keys begin with this; no rows")
    .option("--dry-run", "only count what would be copied")
    .option("--json", "the counts and conflicts as one JSON line")
    .addHelpText("after", help)
    .action((direction: "pull" | "push", options: Options) => syncAction(direction, options, context));
}

async function syncAction(direction: "pull" | "push", options: Options, context: CliContext): Promise<void> {
  if (context.interruptWords !== undefined) context.interruptWords.first = "finishing what is in flight";
  const { run, prefix, dryRun = false } = options;
  const tally = await inCloud(options, context, (cloud) =>
    inLocal(context, async (home) => {
      const [from, to] = direction === "pull" ? [cloud, home] : [home, cloud];
      const ledger = syncLedger(home.records, cloud.stack.stage, dryRun);
      const chosen = run === undefined ? undefined : await chosenRun(run, from);
      const only = { ...(chosen && { run: chosen.runId }), ...(prefix !== undefined && { prefix }) };
      return syncHomes({ from, to, ledger, dryRun, ...only }, context);
    }),
  );
  report(tally, dryRun, context);
}

function report(tally: SyncTally, dryRun: boolean, context: CliContext): void {
  const { out } = context;
  const { counts, conflicts, conflictCount } = tally;
  out.event({ type: "sync", dryRun, ...counts, conflictCount, conflicts });
  out.text(`${dryRun ? "would be: " : ""}${tally.line()}`);
  for (const { what, why } of conflicts.slice(0, shownConflicts)) out.text(`conflict: ${what}: ${why}`);
  if (conflictCount === 0) return;
  if (conflictCount > shownConflicts) out.text(`… and ${conflictCount - shownConflicts} more`);
  out.text("both sides are as they were; to take one side's, delete it on the other and sync again");
  context.exitCode = 1;
}
