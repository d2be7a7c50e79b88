import { TracemillError } from "@tracemill/core/errors.ts";
import type { TaskFolder } from "@tracemill/core/pipeline/deps.ts";
import { findTaskFolders, readTaskFolder } from "./task-folder.ts";

/**
 * Every task at or below a folder, read, in the order of their paths.
 * @throws TracemillError `not-found` when there is none.
 */
export async function* taskFoldersUnder(dir: string): AsyncGenerator<TaskFolder> {
  let found = false;
  for await (const path of findTaskFolders(dir)) {
    found = true;
    yield { path, files: await readTaskFolder(path) };
  }
  if (!found) throw new TracemillError("not-found", `${dir}: no folder with a task.toml at or below it`);
}
