import { pMapIterable } from "p-map";
import * as z from "zod";
import { TracemillError } from "../errors.ts";
import { readOwnRows, type SnapshotManifest } from "../ingest/manifest.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { TaskRef } from "../run/trial.ts";
import { jsonLinesBody, readJsonLines } from "../stored-json.ts";
import { parseAs } from "../validation.ts";
import { PrepareProblem } from "./manifest.ts";
import type { ReferenceDeps } from "./references.ts";
import { prepareRow, type SnapshotOrigin } from "./row.ts";

/** One line of `prepared/<source>/<snapshotId>/rows.jsonl.zst`: what became of one row of that snapshot. */
export const PreparedLine = z.strictObject({
  taskId: z.string(),
  /** Absent: the row is a problem. */
  task: TaskRef.optional(),
  problems: z.array(PrepareProblem),
});
export type PreparedLine = z.infer<typeof PreparedLine>;

export interface PrepareProgress {
  rows: number;
  tasks: number;
  references: number;
}

export interface OwnRowsDeps {
  objects: ObjectStore;
  /** Told after each row that is turned into a task. */
  onProgress?: ((progress: PrepareProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Rows in work at once: packing is quick, so this hides the store's latency. */
const concurrency = 8;

/**
 * Turns the rows of one snapshot, those of the snapshots before it not among them, into tasks; unless that is done.
 * The same rows give the same objects.
 * @throws TracemillError `storage-*`; `cancelled`.
 */
export async function prepareOwnRows(manifest: SnapshotManifest, deps: OwnRowsDeps): Promise<void> {
  const key = objectKeys.preparedRows(manifest.source, manifest.snapshotId);
  if ((await deps.objects.head(key)) !== undefined) return;
  await deps.objects.put(key, jsonLinesBody(preparedLines(manifest, deps)));
}

async function* preparedLines(
  manifest: SnapshotManifest,
  { objects, onProgress, signal }: OwnRowsDeps,
): AsyncGenerator<PreparedLine> {
  const { source, snapshotId } = manifest;
  const rowDeps = { objects, alone: oneAtATime() };
  const progress: PrepareProgress = { rows: 0, tasks: 0, references: 0 };
  const prepared = pMapIterable(
    readOwnRows(objects, manifest),
    async (row) => {
      const { taskId, task, problems } = await prepareRow(row, { source, snapshotId }, rowDeps);
      if (task !== undefined) await objects.putIfAbsent(objectKeys.task(task.ref.hash), task.archive);
      return { taskId, ...(task && { task: task.ref }), problems };
    },
    { concurrency },
  );
  for await (const line of prepared) {
    if (signal?.aborted)
      throw new TracemillError("cancelled", "stopped on request; prepare the snapshot again to finish");
    progress.rows += 1;
    progress.tasks += line.task === undefined ? 0 : 1;
    progress.references += line.task?.references.length ?? 0;
    onProgress?.({ ...progress });
    yield line;
  }
}

/** Runs what it is given in turn, however many give it something at once. */
function oneAtATime(): ReferenceDeps["alone"] {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  };
}

/** What `prepareOwnRows` stored. @throws TracemillError `not-found`, `storage-corrupt`. */
export async function* readOwnLines(
  objects: Pick<ObjectStore, "get">,
  { source, snapshotId }: SnapshotOrigin,
): AsyncGenerator<PreparedLine> {
  const key = objectKeys.preparedRows(source, snapshotId);
  let line = 0;
  for await (const value of readJsonLines(objects, key)) {
    line += 1;
    yield parseAs(PreparedLine, value, `${key}, line ${line}`, "storage-corrupt");
  }
}
