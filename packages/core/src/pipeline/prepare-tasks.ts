import { TracemillError } from "../errors.ts";
import { packTask } from "../harbor/archive.ts";
import { readHarborTask } from "../harbor/task.ts";
import { hashId, IdSet } from "../ingest/id-set.ts";
import { latestSnapshot } from "../ingest/manifest.ts";
import { objectKeys } from "../keys.ts";
import type { LoadedTask } from "../ports/agent.ts";
import { readPrepared } from "../prepare/catalog.ts";
import { type ChangedOrigin, changedTasks } from "../prepare/changed.ts";
import { prepareSnapshot } from "../prepare/prepare.ts";
import { harborTaskRef, scenarioTaskRef } from "../run/task-ref.ts";
import type { TaskRef } from "../run/trial.ts";
import { readScenario, scenarioFiles, scenarioHash } from "../scenario/scenario.ts";
import { jsonLinesBody } from "../stored-json.ts";
import type { PipelineDeps, TaskFolder } from "./deps.ts";
import { untilStopped } from "./until-stopped.ts";

const snapshotPrefix = "snapshot:";

/** Whether a place in `tasks` names a source's newest snapshot rather than a folder. */
export function isSnapshotPlace(place: string): boolean {
  return place.startsWith(snapshotPrefix);
}

/**
 * Stores the tasks of a run, one archive each, and the list of them. A task that comes twice, from a folder
 * and a snapshot say, is listed once, where it came first.
 */
export async function prepareTasks(
  runId: string,
  ingested: ChangedOrigin | undefined,
  deps: PipelineDeps,
): Promise<{ tasks: number; repeated: number }> {
  const counts = { tasks: 0, repeated: 0 };
  const seen = new IdSet();
  const list = async function* () {
    for await (const task of untilStopped(allTasks(ingested, deps), deps.signal)) {
      if (!seen.add(hashId(task.hash))) {
        counts.repeated += 1;
        continue;
      }
      counts.tasks += 1;
      yield task;
    }
  };
  await deps.objects.put(objectKeys.runTasks(runId), jsonLinesBody(list()));
  return counts;
}

async function* allTasks(ingested: ChangedOrigin | undefined, deps: PipelineDeps): AsyncGenerator<TaskRef> {
  if (ingested !== undefined) yield* ingestedTasks(ingested, deps);
  for (const place of deps.spec.tasks) {
    if (isSnapshotPlace(place)) yield* namedSnapshotTasks(place.slice(snapshotPrefix.length), deps);
    else for await (const folder of deps.taskFolders(place)) yield await storeFolder(folder, deps);
  }
}

/** Of what the run ingested: all that the source has, or only what is new or has changed, as the spec says. */
async function* ingestedTasks(snapshot: ChangedOrigin, deps: PipelineDeps): AsyncGenerator<TaskRef> {
  if (deps.spec.source?.take === "changed") yield* changedTasks(snapshot, deps);
  else yield* snapshotTasks(snapshot, deps);
}

async function* snapshotTasks(
  snapshot: { source: string; snapshotId: string },
  deps: PipelineDeps,
): AsyncGenerator<TaskRef> {
  await prepareSnapshot(snapshot, { objects: deps.objects, clock: deps.clock, signal: deps.signal });
  yield* readPrepared(deps.objects, snapshot.source, snapshot.snapshotId);
}

async function* namedSnapshotTasks(source: string, deps: PipelineDeps): AsyncGenerator<TaskRef> {
  const snapshotId = await latestSnapshot(deps.records, source);
  if (snapshotId === undefined) {
    throw new TracemillError(
      "not-found",
      `tasks: snapshot:${source} has no whole snapshot here; run \`tracemill ingest --source ${source}\` first`,
    );
  }
  yield* snapshotTasks({ source, snapshotId }, deps);
}

/** Stores the archive of the task in a folder, unless it is there. @throws TracemillError `invalid-task`. */
export async function storeFolder(folder: TaskFolder, deps: Pick<PipelineDeps, "objects">): Promise<TaskRef> {
  const task = readFolder(folder);
  const files = task.kind === "harbor" ? task.harbor.files : scenarioFiles(task.scenario);
  const ref = folderTaskRef(folder, task);
  await deps.objects.putIfAbsent(objectKeys.task(ref.hash), await packTask(files));
  return ref;
}

/** How a run sees the task in a folder: a Harbor task, or a `scenario.json`. @throws TracemillError `invalid-task`. */
export function folderTaskRef(folder: TaskFolder, task: LoadedTask = readFolder(folder)): TaskRef {
  const origin = { kind: "folder", path: folder.path } as const;
  if (task.kind === "harbor")
    return harborTaskRef(task.harbor, { hash: task.harbor.hash, origin, references: [] });
  const hash = scenarioHash(scenarioFiles(task.scenario));
  return scenarioTaskRef(task.scenario, { hash, origin, references: [] });
}

function readFolder({ files, path }: TaskFolder): LoadedTask {
  const isScenario = files.some((file) => file.path === "scenario.json");
  return isScenario
    ? { kind: "scenario", scenario: readScenario(files, path) }
    : { kind: "harbor", harbor: readHarborTask(files, path) };
}
