import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { TaskRef } from "../run/trial.ts";
import { readJsonLines } from "../stored-json.ts";
import { parseAs } from "../validation.ts";

/**
 * The tasks that a snapshot was turned into, in the order of the source. Holds one at a time.
 * @throws TracemillError `not-found` when the snapshot is not prepared; `storage-corrupt`.
 */
export async function* readPrepared(
  objects: Pick<ObjectStore, "get">,
  source: string,
  snapshotId: string,
): AsyncGenerator<TaskRef> {
  const key = objectKeys.preparedTasks(source, snapshotId);
  let line = 0;
  for await (const value of readJsonLines(objects, key)) {
    line += 1;
    yield parseAs(TaskRef, value, `${key}, line ${line}`, "storage-corrupt");
  }
}
