import { TracemillError } from "../errors.ts";
import { unpackTask } from "../harbor/archive.ts";
import { readHarborTask } from "../harbor/task.ts";
import { contentHash, type TaskFile } from "../harbor/task-files.ts";
import { objectKeys } from "../keys.ts";
import type { LoadedTask } from "../ports/agent.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { TaskRef } from "../run/trial.ts";
import { readScenario, scenarioHash } from "../scenario/scenario.ts";
import { collect } from "../streams.ts";

type Wanted = Pick<TaskRef, "hash" | "kind" | "name">;

/** Unpacks tasks from the object store and keeps the last few. */
export interface TaskLoader {
  /** @throws TracemillError `not-found`, `invalid-archive`, `invalid-task`, `storage-corrupt` (hash differs). */
  load(task: Wanted): Promise<LoadedTask>;
}

/** @param keep how many unpacked tasks stay in memory; trials of one task come one after another. */
export function createTaskLoader(objects: ObjectStore, keep = 16): TaskLoader {
  const cache = new Map<string, Promise<LoadedTask>>();
  return {
    load(task) {
      const known = cache.get(task.hash);
      if (known !== undefined) return known;
      const loading = loadTask(task, objects);
      cache.set(task.hash, loading);
      loading.catch(() => cache.delete(task.hash));
      const oldest = cache.size > keep ? cache.keys().next().value : undefined;
      if (oldest !== undefined) cache.delete(oldest);
      return loading;
    },
  };
}

async function loadTask(task: Wanted, objects: ObjectStore): Promise<LoadedTask> {
  const key = objectKeys.task(task.hash);
  const body = await objects.get(key);
  if (body === undefined) {
    throw new TracemillError(
      "not-found",
      `${key}: the archive of task ${task.name} is missing; run \`tracemill prepare\` again`,
    );
  }
  const files = await unpackTask(await collect(body), key);
  assertHash(task, files, key);
  return task.kind === "harbor"
    ? { kind: "harbor", harbor: readHarborTask(files, task.name) }
    : { kind: "scenario", scenario: readScenario(files, task.name) };
}

function assertHash(task: Wanted, files: readonly TaskFile[], key: string): void {
  const hash = task.kind === "harbor" ? contentHash(files) : scenarioHash(files);
  if (hash === task.hash) return;
  throw new TracemillError(
    "storage-corrupt",
    `${key}: its content has the hash ${hash}; delete the object and run \`tracemill prepare\` again`,
  );
}
