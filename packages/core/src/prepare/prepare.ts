import { readChain } from "../ingest/manifest.ts";
import { objectKeys } from "../keys.ts";
import type { Clock } from "../ports/clock.ts";
import { jsonLinesBody } from "../stored-json.ts";
import { PreparedManifest, readPreparedManifest } from "./manifest.ts";
import { type OwnRowsDeps, prepareOwnRows } from "./own-rows.ts";
import type { SnapshotOrigin } from "./row.ts";
import { tallyOf, tasksIn } from "./state-lines.ts";

export interface PrepareDeps extends OwnRowsDeps {
  clock: Pick<Clock, "now">;
}

/**
 * Turns the state as of a snapshot into tasks: an archive for each (`tasks/<hash>.tar.zst`), its recorded solutions
 * (`references/<sha256>.json`), the list of tasks, and at last the manifest that says it is whole. Rows that an earlier
 * snapshot of the chain brought, and that were prepared with it, are not prepared again. The same snapshot gives the
 * same objects; a prepared one is not prepared again.
 * @throws TracemillError `not-found` when there is no such complete snapshot; `storage-corrupt`; `cancelled`.
 */
export async function prepareSnapshot(origin: SnapshotOrigin, deps: PrepareDeps): Promise<PreparedManifest> {
  const { objects, clock } = deps;
  const { source, snapshotId } = origin;
  const done = await readPreparedManifest(objects, source, snapshotId);
  if (done !== undefined) return done;
  const chain = await Array.fromAsync(readChain(objects, source, snapshotId));
  for (const manifest of chain) await prepareOwnRows(manifest, deps);
  const tally = await tallyOf(objects, chain);
  const list = objectKeys.preparedTasks(source, snapshotId);
  await objects.put(list, jsonLinesBody(tasksIn(objects, chain, tally)));
  const manifest = PreparedManifest.parse({
    schemaVersion: 1,
    source,
    snapshotId,
    preparedAt: new Date(clock.now()).toISOString(),
    counts: tally.counts,
    duplicates: tally.duplicates,
    problems: tally.problems,
  });
  const key = objectKeys.preparedManifest(source, snapshotId);
  const { created } = await objects.putIfAbsent(key, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  // Another process may have been quicker; what it stored is the same but for its time.
  return created ? manifest : ((await readPreparedManifest(objects, source, snapshotId)) ?? manifest);
}
