import { objectKeys } from "../../keys.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { readManifest, type SnapshotManifest } from "../manifest.ts";

/**
 * The complete snapshots of one source, or of all, the oldest of each first.
 * @throws TracemillError `storage-corrupt`.
 */
export async function* listSnapshots(
  objects: Pick<ObjectStore, "list" | "get">,
  wanted?: string,
): AsyncGenerator<SnapshotManifest> {
  for await (const { key } of objects.list(objectKeys.snapshots(wanted))) {
    const [, source, snapshotId] = /^raw\/([^/]+)\/([^/]+)\/manifest\.json$/.exec(key) ?? [];
    if (source === undefined || snapshotId === undefined) continue;
    const manifest = await readManifest(objects, source, snapshotId);
    if (manifest !== undefined) yield manifest;
  }
}
