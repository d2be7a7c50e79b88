import * as z from "zod";
import { TracemillError } from "../errors.ts";
import { unpackTask } from "../harbor/archive.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { RunSpec } from "../run/spec.ts";
import { TaskRef } from "../run/trial.ts";
import { jsonLinesBody, readJsonLines } from "../stored-json.ts";
import { collect } from "../streams.ts";
import { parseAs } from "../validation.ts";
import type { PipelineDeps } from "./deps.ts";
import { isSnapshotPlace, storeFolder } from "./prepare-tasks.ts";

/** A folder of a task, as the machine that started the run saw it. */
const SentFolder = z.strictObject({
  /** The place in the spec below which it was found. */
  place: z.string(),
  path: z.string(),
  hash: TaskRef.shape.hash,
});
type SentFolder = z.infer<typeof SentFolder>;

/**
 * Stores the task folders that a spec names, for a run that goes on elsewhere. Calling it again stores what is
 * missing.
 * @throws TracemillError `not-found`, `invalid-task`.
 */
export async function sendFolders(
  runId: string,
  spec: Pick<RunSpec, "tasks">,
  deps: Pick<PipelineDeps, "objects" | "taskFolders">,
  onSent: (folders: number) => void = () => undefined,
): Promise<{ folders: number }> {
  let folders = 0;
  const sent = async function* (): AsyncGenerator<SentFolder> {
    for (const place of spec.tasks.filter((each) => !isSnapshotPlace(each))) {
      for await (const folder of deps.taskFolders(place)) {
        const { hash } = await storeFolder(folder, deps);
        folders += 1;
        onSent(folders);
        yield { place, path: folder.path, hash };
      }
    }
  };
  await deps.objects.put(objectKeys.runFolders(runId), jsonLinesBody(sent()));
  return { folders };
}

/** The task folders that were sent with a run, in the place of those of a machine. */
export function sentFolders(runId: string, objects: ObjectStore): PipelineDeps["taskFolders"] {
  return async function* (place) {
    const key = objectKeys.runFolders(runId);
    for await (const value of readJsonLines(objects, key)) {
      const folder = parseAs(SentFolder, value, key, "storage-corrupt");
      if (folder.place !== place) continue;
      const archive = objectKeys.task(folder.hash);
      const body = await objects.get(archive);
      if (body === undefined) throw new TracemillError("not-found", `${archive}: no such object`);
      yield { path: folder.path, files: await unpackTask(await collect(body), archive) };
    }
  };
}
