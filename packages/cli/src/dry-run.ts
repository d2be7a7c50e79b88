import { agentRegistry } from "@tracemill/agents/registry.ts";
import { latestSnapshot } from "@tracemill/core/ingest/manifest.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { TaskFolder } from "@tracemill/core/pipeline/deps.ts";
import { resolvePlan } from "@tracemill/core/pipeline/plan-run.ts";
import { folderTaskRef } from "@tracemill/core/pipeline/prepare-tasks.ts";
import { readPrepared } from "@tracemill/core/prepare/catalog.ts";
import { readChangedTasks } from "@tracemill/core/prepare/changed.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { TaskRef } from "@tracemill/core/run/trial.ts";
import { taskFoldersUnder } from "@tracemill/local/task-folder.ts";
import type { CliContext, Home } from "./context.ts";
import { table } from "./tables.ts";

/** Says what a spec would run, over what is here now. Fetches, writes and runs nothing. */
export async function describePlan(spec: RunSpec, home: Home, context: CliContext): Promise<void> {
  const { out } = context;
  const trialsByAgent = new Map<string, number>();
  const plan = await resolvePlan(
    { runId: "dry-run", spec, agents: agentRegistry(), tasks: tasksHere(spec, home, context) },
    async ({ trials }) => {
      for (const { agent } of trials) trialsByAgent.set(agent.name, (trialsByAgent.get(agent.name) ?? 0) + 1);
    },
  );
  if (spec.source !== undefined && spec.source.snapshot === undefined) {
    out.note(`note: a real run ingests \`${spec.source.name}\` first; this plan shows what is here already`);
  }
  out.event({ type: "plan", ...plan, spec });
  out.text(
    `${plan.tasks} tasks, ${plan.trials} trials in ${plan.shards.length} shards, at most ${atOnceText(spec, home)}`,
  );
  out.text(
    table(
      ["agent", "trials"],
      [...trialsByAgent].map(([name, count]) => [name, String(count)]),
    ),
  );
  for (const [reason, count] of Object.entries(plan.excludedBy)) out.text(`left out: ${count} × ${reason}`);
}

function atOnceText({ aws, concurrency }: RunSpec, { flags }: Home): string {
  return flags === "" ? `${concurrency} at once` : `${aws.jobs} jobs of ${concurrency} at once`;
}

/** Tasks in place of those of a source that is not prepared here. */
type StandIns = (source: string) => Iterable<TaskRef>;

/** The tasks that a spec comes to, of what is here now. A source of which nothing is here gives its stand-ins. */
export async function* tasksHere(
  spec: RunSpec,
  home: Home,
  context: CliContext,
  standIns: StandIns = (source) => noneOf(source, home, context),
  onFolder: (folder: TaskFolder) => void = () => undefined,
): AsyncGenerator<TaskRef> {
  if (spec.source !== undefined) {
    yield* preparedTasks(spec.source.name, home, standIns, spec.source);
  }
  for (const place of spec.tasks) {
    if (place.startsWith("snapshot:")) yield* preparedTasks(place.slice("snapshot:".length), home, standIns);
    else {
      for await (const folder of taskFoldersUnder(place)) {
        onFolder(folder);
        yield folderTaskRef(folder);
      }
    }
  }
}

function noneOf(source: string, { flags }: Home, { out }: CliContext): TaskRef[] {
  const remedy =
    flags === "" ? `: tracemill ingest --source ${source}, then tracemill prepare ${source}` : " yet";
  out.note(`note: nothing of \`${source}\` is prepared here${remedy}`);
  return [];
}

async function* preparedTasks(
  source: string,
  home: Home,
  standIns: StandIns,
  { snapshot, take }: Pick<NonNullable<RunSpec["source"]>, "snapshot" | "take"> = { take: "latest" },
): AsyncGenerator<TaskRef> {
  const snapshotId = snapshot ?? (await latestSnapshot(home.records, source));
  // What the run's own ingest will find to have changed is not known yet.
  const changed = snapshot !== undefined && take === "changed";
  const list = changed ? objectKeys.preparedRows : objectKeys.preparedTasks;
  const key = snapshotId === undefined ? undefined : list(source, snapshotId);
  if (snapshotId === undefined || key === undefined || (await home.objects.head(key)) === undefined) {
    yield* standIns(source);
    return;
  }
  if (changed) yield* readChangedTasks(home.objects, { source, snapshotId });
  else yield* readPrepared(home.objects, source, snapshotId);
}
