import { pMapIterable } from "p-map";
import { TracemillError } from "../errors.ts";
import { readSnapshotRows } from "../ingest/manifest.ts";
import { objectKeys } from "../keys.ts";
import type { Clock } from "../ports/clock.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { ReferenceSolution, TaskRef } from "../run/trial.ts";
import { jsonLinesBody } from "../stored-json.ts";
import { readPrepared } from "./catalog.ts";
import { PreparedManifest, readPreparedManifest } from "./manifest.ts";
import { type PreparedRow, prepareRow, type SnapshotOrigin } from "./row.ts";

export interface PrepareDeps {
  objects: ObjectStore;
  clock: Pick<Clock, "now">;
  /** Called after each row. */
  onProgress?: ((progress: { rows: number; tasks: number; references: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Rows in work at once: packing is quick, so this hides the store's latency. */
const concurrency = 8;

/**
 * Turns a raw snapshot into tasks: an archive for each (`tasks/<hash>.tar.zst`), its recorded solutions
 * (`references/<sha256>.json`), the list of tasks, and at last the manifest that says it is whole. The same
 * snapshot gives the same objects; a prepared one is not prepared again.
 * @throws TracemillError `not-found` when there is no such complete snapshot; `storage-corrupt`; `cancelled`.
 */
export async function prepareSnapshot(origin: SnapshotOrigin, deps: PrepareDeps): Promise<PreparedManifest> {
  const { objects, clock } = deps;
  const { source, snapshotId } = origin;
  const done = await readPreparedManifest(objects, source, snapshotId);
  if (done !== undefined) return done;
  const tally = new Tally();
  const list = objectKeys.preparedTasks(source, snapshotId);
  await objects.put(list, jsonLinesBody(tasksOf(origin, tally, deps)));
  if (tally.late.size > 0) {
    await objects.put(
      list,
      jsonLinesBody(withLateReferences(readPrepared(objects, source, snapshotId), tally)),
    );
  }
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

class Tally {
  readonly counts = { rows: 0, harbor: 0, scenario: 0, references: 0 };
  readonly duplicates: { taskId: string; hash: string }[] = [];
  readonly problems: PreparedManifest["problems"] = [];
  /** Solutions of rows whose task an earlier row had brought, by its hash. */
  readonly late = new Map<string, ReferenceSolution[]>();
  readonly #seen = new Set<string>();

  /** @returns the task to list; none for a duplicate and for a row that is a problem. */
  add({ taskId, task, problems }: PreparedRow): TaskRef | undefined {
    this.counts.rows += 1;
    this.problems.push(...problems);
    if (task === undefined) return undefined;
    const { hash, kind, references } = task.ref;
    this.counts.references += references.length;
    if (this.#seen.has(hash)) {
      this.duplicates.push({ taskId, hash });
      this.late.set(hash, [...(this.late.get(hash) ?? []), ...references]);
      return undefined;
    }
    this.#seen.add(hash);
    this.counts[kind] += 1;
    return task.ref;
  }
}

async function* tasksOf(origin: SnapshotOrigin, tally: Tally, deps: PrepareDeps): AsyncGenerator<TaskRef> {
  const { objects, signal, onProgress } = deps;
  const rows = readSnapshotRows(objects, origin.source, origin.snapshotId);
  const prepared = pMapIterable(rows, async (row) => store(await prepareRow(row, origin), objects), {
    concurrency,
  });
  for await (const row of prepared) {
    if (signal?.aborted)
      throw new TracemillError("cancelled", "stopped on request; prepare the snapshot again to finish");
    const ref = tally.add(row);
    const { rows: count, harbor, scenario, references } = tally.counts;
    onProgress?.({ rows: count, tasks: harbor + scenario, references });
    if (ref !== undefined) yield ref;
  }
}

async function store(row: PreparedRow, objects: ObjectStore): Promise<PreparedRow> {
  if (row.task === undefined) return row;
  const { ref, archive, references } = row.task;
  await objects.putIfAbsent(objectKeys.task(ref.hash), archive);
  for (const { reference, body } of references) {
    await objects.putIfAbsent(reference.trajectoryKey, Buffer.from(body));
  }
  return row;
}

async function* withLateReferences(tasks: AsyncIterable<TaskRef>, { late }: Tally): AsyncGenerator<TaskRef> {
  for await (const task of tasks) {
    yield { ...task, references: [...task.references, ...(late.get(task.hash) ?? [])] };
  }
}
