import { readChain } from "../ingest/manifest.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { TaskRef } from "../run/trial.ts";
import { Tally, tasksOf, withLateReferences } from "./merge.ts";
import { type OwnRowsDeps, prepareOwnRows, readOwnLines } from "./own-rows.ts";
import type { SnapshotOrigin } from "./row.ts";

/**
 * The tasks of what is new in a snapshot and what has changed since the one before, each once. They are prepared where
 * they are not.
 * @throws TracemillError `not-found` when there is no such complete snapshot; `storage-corrupt`; `cancelled`.
 */
export async function* changedTasks(origin: SnapshotOrigin, deps: OwnRowsDeps): AsyncGenerator<TaskRef> {
  for await (const manifest of readChain(deps.objects, origin.source, origin.snapshotId)) {
    await prepareOwnRows(manifest, deps);
    break;
  }
  yield* readChangedTasks(deps.objects, origin);
}

/** The same of a snapshot that is prepared. @throws TracemillError `not-found`, `storage-corrupt`. */
export async function* readChangedTasks(
  objects: Pick<ObjectStore, "get">,
  origin: SnapshotOrigin,
): AsyncGenerator<TaskRef> {
  const tally = new Tally();
  for await (const line of readOwnLines(objects, origin)) tally.add(line);
  yield* withLateReferences(tasksOf(readOwnLines(objects, origin), new Tally()), tally);
}
