import { hashId, IdSet } from "../ingest/id-set.ts";
import { readTombstones, type SnapshotManifest } from "../ingest/manifest.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { TaskRef } from "../run/trial.ts";
import { Tally, tasksOf, withLateReferences } from "./merge.ts";
import { type PreparedLine, readOwnLines } from "./own-rows.ts";

type Objects = Pick<ObjectStore, "get">;
/** Prepared snapshots that build on each other, newest first. */
type Chain = readonly SnapshotManifest[];

/** What the latest rows of a chain came to. @throws TracemillError `not-found`, `storage-corrupt`. */
export async function tallyOf(objects: Objects, chain: Chain): Promise<Tally> {
  const tally = new Tally();
  for await (const line of stateLines(objects, chain)) tally.add(line);
  return tally;
}

/** Their tasks, each once with the solutions of all its rows. */
export async function* tasksIn(
  objects: Objects,
  chain: Chain,
  tally: Pick<Tally, "late">,
): AsyncGenerator<TaskRef> {
  yield* withLateReferences(tasksOf(stateLines(objects, chain), new Tally()), tally);
}

/** What became of each row of the state, in the order of `readSnapshotRows`. */
async function* stateLines(objects: Objects, chain: Chain): AsyncGenerator<PreparedLine> {
  const hidden = new IdSet();
  for (const manifest of chain) {
    for await (const line of readOwnLines(objects, manifest)) {
      if (hidden.add(hashId(line.taskId))) yield line;
    }
    for await (const { taskId } of readTombstones(objects, manifest)) hidden.add(hashId(taskId));
  }
}
