import * as z from "zod";
import { readChain, type SnapshotManifest } from "../ingest/manifest.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { TaskRef } from "../run/trial.ts";
import { type OwnRowsDeps, prepareOwnRows } from "./own-rows.ts";
import { tallyOf, tasksIn } from "./state-lines.ts";

/** A snapshot, as a run's first step names it, and what it is compared with. */
export const ChangedOrigin = z.object({
  source: z.string(),
  snapshotId: z.string(),
  /** An earlier snapshot; null: nothing at all. Default: the one that the snapshot builds on. */
  since: z.string().nullish(),
});
export type ChangedOrigin = z.infer<typeof ChangedOrigin>;

/**
 * The tasks of what is new in a snapshot and what has changed since an earlier one, each once. They are prepared where
 * they are not.
 * @throws TracemillError `not-found` when there is no such complete snapshot; `storage-corrupt`; `cancelled`.
 */
export async function* changedTasks(origin: ChangedOrigin, deps: OwnRowsDeps): AsyncGenerator<TaskRef> {
  const chain = await chainSince(deps.objects, origin);
  for (const manifest of chain) await prepareOwnRows(manifest, deps);
  yield* tasksIn(deps.objects, chain, await tallyOf(deps.objects, chain));
}

/** The same of snapshots that are prepared. @throws TracemillError `not-found`, `storage-corrupt`. */
export async function* readChangedTasks(
  objects: Pick<ObjectStore, "get">,
  origin: ChangedOrigin,
): AsyncGenerator<TaskRef> {
  const chain = await chainSince(objects, origin);
  yield* tasksIn(objects, chain, await tallyOf(objects, chain));
}

async function chainSince(
  objects: Pick<ObjectStore, "get">,
  { source, snapshotId, since }: ChangedOrigin,
): Promise<SnapshotManifest[]> {
  const chain: SnapshotManifest[] = [];
  for await (const manifest of readChain(objects, source, snapshotId)) {
    if (manifest.snapshotId === since) break;
    chain.push(manifest);
    if (since === undefined) break;
  }
  return chain;
}
