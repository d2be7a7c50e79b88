import type { ObjectStore } from "../../ports/object-store.ts";
import type { IdSet } from "../id-set.ts";
import { readChain } from "../manifest.ts";
import { type IndexNote, parseIndexLine } from "./index-line.ts";
import { KnownTasks } from "./known-tasks.ts";
import { readPart } from "./part.ts";

interface SnapshotName {
  source: string;
  snapshotId: string;
}

/** What a snapshot, with those that it builds on, knows of its source's tasks. Errors: see `readChain`. */
export async function loadKnown(
  objects: Pick<ObjectStore, "get">,
  snapshot: SnapshotName,
): Promise<KnownTasks> {
  const known = new KnownTasks();
  for await (const { hash, known: each } of readIndex(objects, snapshot)) known.addOlder(hash, each);
  return known;
}

/**
 * The tasks of the state that are not in `seen`, each once.
 * @param movingOnly only those that have to be looked at every time.
 */
export async function* missingTasks(
  objects: Pick<ObjectStore, "get">,
  snapshot: SnapshotName,
  { known, seen, movingOnly }: { known: KnownTasks; seen: IdSet; movingOnly: boolean },
): AsyncGenerator<{ id: string; hash: bigint }> {
  // Names are not held in memory: they are read again, and only as far as they are wanted.
  for await (const { id, hash } of readIndex(objects, snapshot)) {
    const latest = known.get(hash);
    if (!latest?.held || (movingOnly && !latest.moving)) continue;
    if (seen.add(hash)) yield { id, hash };
  }
}

/** All lines of a chain's indexes, the newest snapshot's first: the first of a task counts. */
async function* readIndex(
  objects: Pick<ObjectStore, "get">,
  { source, snapshotId }: SnapshotName,
): AsyncGenerator<IndexNote & { hash: bigint }> {
  for await (const { indexParts = [] } of readChain(objects, source, snapshotId)) {
    for (const part of indexParts) yield* readPart(objects, part, parseIndexLine);
  }
}
