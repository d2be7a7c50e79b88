import { agentRegistry } from "@tracemill/agents/registry.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { latestSnapshot } from "@tracemill/core/ingest/manifest.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { findTaskFolders } from "@tracemill/local/task-folder.ts";
import type { Home } from "./context.ts";

const snapshotPrefix = "snapshot:";

/**
 * Holds a spec against this machine before a run of it is written down, so that a slip of the hand leaves no
 * stopped run behind: agents have to be known, folders to hold a task, snapshots to be here.
 * @throws TracemillError `invalid-spec`, `not-found`.
 */
export async function checkSpec(
  { agents, tasks }: RunSpec,
  { records }: Pick<Home, "records">,
): Promise<void> {
  const known = agentRegistry();
  for (const { name } of agents) known(name);
  for (const place of tasks) {
    if (place.startsWith(snapshotPrefix)) await requireSnapshot(place.slice(snapshotPrefix.length), records);
    else await requireTask(place);
  }
}

async function requireSnapshot(source: string, records: Home["records"]): Promise<void> {
  if ((await latestSnapshot(records, source)) !== undefined) return;
  throw new TracemillError(
    "not-found",
    `tasks: snapshot:${source} has no whole snapshot here; run \`tracemill ingest --source ${source}\` first`,
  );
}

async function requireTask(folder: string): Promise<void> {
  for await (const _ of findTaskFolders(folder)) return;
  throw new TracemillError(
    "not-found",
    `${folder}: no task at or below it; name a folder that holds a task.toml or a scenario.json`,
  );
}
