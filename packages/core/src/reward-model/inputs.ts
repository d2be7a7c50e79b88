import { pMapIterable } from "p-map";
import { verifiedFirst } from "../dataset/claims.ts";
import { collectTrials, readsAtOnce } from "../dataset/collect-trials.ts";
import { isTracemillError } from "../errors.ts";
import { readSnapshotRows } from "../ingest/manifest.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { Scratch } from "../ports/scratch.ts";
import { wholeSolution } from "../prepare/references.ts";
import type { Solution, Task } from "../production/schemas.ts";
import { aside, type Found } from "./found.ts";
import { episodeOfSolution, type SnapshotPlace } from "./from-solution.ts";
import { episodeOfTrial } from "./from-trial.ts";

/**
 * The episodes of a source's state as of a snapshot, one for each solution. Holds one row.
 * @throws TracemillError `not-found`, `storage-corrupt`.
 */
export async function* episodesOfSnapshot(
  place: SnapshotPlace,
  objects: Pick<ObjectStore, "get">,
): AsyncGenerator<Found> {
  for await (const { task, solutions } of readSnapshotRows(objects, place.source, place.snapshotId)) {
    for (const solution of solutions) yield await wholeEpisode(task, solution, place, objects);
  }
}

/** Recordings that were too long for their row are brought back first. */
async function wholeEpisode(
  task: Task,
  solution: Solution,
  place: SnapshotPlace,
  objects: Pick<ObjectStore, "get">,
): Promise<Found> {
  try {
    return episodeOfSolution({ task, solution: await wholeSolution(solution, objects) }, place);
  } catch (error) {
    if (!isTracemillError(error, "unsupported", "invalid-input")) throw error;
    const origin = { kind: "snapshot" as const, ...place, taskId: task.id, solutionId: solution.id };
    return aside(error.code === "unsupported" ? "too-large" : "invalid", error.message, origin);
  }
}

interface RunDeps {
  objects: Pick<ObjectStore, "get">;
  records: Pick<RecordStore, "query">;
  scratch: Scratch;
  signal?: AbortSignal;
}

/**
 * The episodes of a run's ended trials, those with a verified reward first. The last attempt stands for a trial.
 * @throws TracemillError `not-found`, `storage-corrupt`, `invalid-trajectory`, `cancelled`.
 */
export async function* episodesOfRun(runId: string, deps: RunDeps): AsyncGenerator<Found> {
  await using trials = await collectTrials(runId, deps);
  yield* pMapIterable(verifiedFirst(trials), (trial) => episodeOfTrial(trial, deps.objects), {
    concurrency: readsAtOnce,
  });
  for (let left = trials.notEnded; left > 0; left -= 1) {
    yield aside("not-ended", "begun, and not ended yet", { kind: "run", runId });
  }
}
