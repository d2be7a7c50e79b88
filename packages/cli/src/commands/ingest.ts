import type { SnapshotManifest } from "@tracemill/core/ingest/manifest.ts";
import type { FetchInput } from "@tracemill/core/ingest/options.ts";
import { ingestSnapshot } from "@tracemill/core/ingest/snapshot.ts";
import { writeLines } from "@tracemill/core/ingest/write-lines.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { keepHeapSmall } from "@tracemill/local/small-heap.ts";
import { Command, Option } from "commander";
import type { CliContext } from "../context.ts";
import { atLeast } from "../flag-values.ts";
import { changesText, countsText, showCounts } from "../ingest-progress.ts";
import { openLineFile } from "../line-file.ts";
import {
  type ProductionFlags,
  productionDeps,
  productionInput,
  withProductionFlags,
} from "../production-api.ts";
import { RejectFile } from "../reject-file.ts";

interface Flags extends ProductionFlags {
  taskStatus?: string[];
  maxTasks?: number;
  includeEmpty?: true;
  taskPageSize?: number;
  solutionPageSize?: number;
  concurrency?: number;
  search?: string;
  output?: string;
  source?: string;
  restart?: true;
  full?: true;
  since?: string;
  sinceParam?: string;
}

const help = `
Examples:
  export TRACEMILL_PROD_BASE_URL=https://tasks.example.com/api/v1
  export TRACEMILL_PROD_API_TOKEN=…
  tracemill ingest --task-status done,partial --max-tasks 2000
  tracemill ingest --full
  tracemill ingest --since 3d
  tracemill ingest --output tasks.jsonl

Without --output, tasks and their solutions go into a snapshot under raw/<source>/ of the object store. The next
ingest of the same query builds on it: it fetches and stores what is new or has changed, and marks what is gone.
An ingest that was stopped goes on where it was: run the same command again. docs/ingest.md has the rest.`;

/** `tracemill ingest`. */
export function ingestCommand(context: CliContext): Command {
  return withProductionFlags(new Command("ingest"))
    .description("mirror tasks and solutions from the production API")
    .option("--task-status <status>", "statuses to list; repeat it or use commas (default: done)", gather)
    .option("--max-tasks <n>", "take at most this many tasks from the lists", atLeast(1))
    .option("--include-empty", "keep tasks without solutions")
    .option("--search <text>", "only tasks that the API finds by this text")
    .option("--since <time>", "only tasks that changed since then: 2026-01-31, 3d, 12h")
    .option("--since-param <name>", "the API's own parameter for that, such as updated_since")
    .addOption(new Option("--full", "fetch everything, and begin a new chain").conflicts(["output"]))
    .option("--source <name>", "name to keep the snapshots under (default: prod)")
    .option("--output <file>", "write one JSONL file instead of a snapshot; - is standard output")
    .addOption(new Option("--restart", "drop an unfinished snapshot and begin anew").conflicts(["output"]))
    .option("--concurrency <n>", "most tasks and requests at once (default: 32)", atLeast(1))
    .option("--task-page-size <n>", "tasks a page to ask for (default: 100)", atLeast(1))
    .option("--solution-page-size <n>", "solutions a page to ask for (default: 100)", atLeast(1))
    .option("--json", "the result as JSON")
    .addHelpText("after", help)
    .action((flags: Flags) => {
      keepHeapSmall();
      return flags.output === undefined ? toSnapshot(flags, context) : toFile(flags, flags.output, context);
    });
}

async function toSnapshot(flags: Flags, context: CliContext): Promise<void> {
  const input = {
    ...fetchInput(flags, context),
    source: flags.source,
    restart: flags.restart,
    full: flags.full,
  };
  const deps = productionDeps(flags, context);
  const home = await context.openHome();
  try {
    const { objects, records } = home;
    const onProgress = showCounts(context, flags.maxTasks);
    const manifest = await ingestSnapshot(input, { ...deps, objects, records, onProgress });
    context.out.event(manifest);
    context.out.text(snapshotText(manifest));
  } finally {
    await home.close();
  }
}

async function toFile(flags: Flags, output: string, context: CliContext): Promise<void> {
  const input = fetchInput(flags, context);
  const deps = productionDeps(flags, context);
  const file = await openLineFile(output);
  // Standard output as the file leaves no room there for anything else.
  const say = (text: string): void => (output === "-" ? context.out.note(text) : context.out.text(text));
  const rejects = new RejectFile(output, context.out);
  try {
    const onProgress = showCounts(context, flags.maxTasks);
    const write = (line: string) => file.write(line);
    const counts = await writeLines(input, {
      ...deps,
      write,
      reject: (each) => rejects.add(each),
      onProgress,
    });
    await rejects.commit();
    await file.commit();
    if (output !== "-") context.out.event({ output, counts });
    say(`${output}: ${countsText(counts)}${counts.rejects > 0 ? `\nput aside: ${rejects.place}` : ""}`);
  } finally {
    await rejects.discard();
    await file.discard();
  }
}

function fetchInput(flags: Flags, context: CliContext): FetchInput {
  return {
    ...productionInput(flags, context),
    statuses: flags.taskStatus,
    search: flags.search,
    maxTasks: flags.maxTasks,
    since: flags.since,
    sinceParam: flags.sinceParam,
    includeEmpty: flags.includeEmpty,
    concurrency: flags.concurrency,
    taskPageSize: flags.taskPageSize,
    solutionPageSize: flags.solutionPageSize,
  };
}

function snapshotText(manifest: SnapshotManifest): string {
  const { source, snapshotId, parent, state, evidence, counts, rejectParts } = manifest;
  const lines = [`snapshot ${snapshotId} of ${source}: ${countsText(counts)}`];
  if (parent !== undefined) {
    lines.push(`since ${parent}: ${changesText(counts)}`);
    lines.push(
      `state: ${state.tasks.toLocaleString("en-US")} tasks, ${state.solutions.toLocaleString("en-US")} solutions`,
    );
  }
  if (evidence.hidden > 0) {
    lines.push(
      "note: this API's lists have hidden a change, so every task is fetched each time (docs/ingest.md)",
    );
  }
  if (rejectParts.length > 0) lines.push(`put aside: ${rejectParts.map((part) => part.key).join(", ")}`);
  lines.push(`manifest: ${objectKeys.snapshotManifest(source, snapshotId)}`);
  lines.push(`next: tracemill prepare ${source}`);
  return lines.join("\n");
}

function gather(value: string, before: string[] = []): string[] {
  return [...before, value];
}
