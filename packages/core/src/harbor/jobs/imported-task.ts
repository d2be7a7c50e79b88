import { isTracemillError } from "../../errors.ts";
import { contentId, sha256Hex } from "../../ids.ts";
import { objectKeys } from "../../keys.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { harborTaskRef } from "../../run/task-ref.ts";
import type { Trial } from "../../run/trial.ts";
import { packTask } from "../archive.ts";
import { type HarborTask, readHarborTask } from "../task.ts";
import type { TaskId, TrialResultFile } from "./documents.ts";
import type { ReadTaskFiles } from "./folder.ts";

type TrialTask = Trial["task"];

/**
 * What became of a trial's task.
 * - `kept`: its folder is here with the content that the job recorded, and is stored.
 * - `unchecked`: its folder is here and is stored; the job recorded no digest to hold it against.
 * - `changed`: its folder is here with another content by now. Not stored.
 * - `absent`: there is no such folder here, or it is no task.
 */
export type TaskFate = "kept" | "unchecked" | "changed" | "absent";

export interface ImportedTask {
  task: TrialTask;
  fate: TaskFate;
}

/** Finds the tasks of trials; trials of one task ask for it one after another. */
export interface TaskFinder {
  find(result: TrialResultFile, digest: string | undefined): Promise<ImportedTask>;
}

/** Tasks kept in memory, without their files. */
const keep = 256;

export function taskFinder(deps: {
  taskFiles: ReadTaskFiles;
  /** Absent: nothing is stored. */
  objects?: Pick<ObjectStore, "putIfAbsent"> | undefined;
}): TaskFinder {
  const known = new Map<string, Promise<ImportedTask>>();
  return {
    find(result, digest) {
      const key = JSON.stringify([result.task_name, result.task_id, digest ?? result.task_checksum]);
      const found = known.get(key) ?? findTask(result, digest, deps);
      known.delete(key);
      known.set(key, found);
      const oldest = known.size > keep ? known.keys().next().value : undefined;
      if (oldest !== undefined) known.delete(oldest);
      return found;
    },
  };
}

async function findTask(
  result: TrialResultFile,
  digest: string | undefined,
  { taskFiles, objects }: Parameters<typeof taskFinder>[0],
): Promise<ImportedTask> {
  const recorded = (digest ?? digestOfRef(result.task_id?.ref))?.slice("sha256:".length);
  const path = result.task_id?.git_url === undefined ? result.task_id?.path : undefined;
  const harbor = path === undefined ? undefined : await readTask(path, taskFiles);
  if (harbor === undefined) return { task: absentTask(result, recorded), fate: "absent" };
  if (recorded !== undefined && recorded !== harbor.hash)
    return { task: absentTask(result, recorded), fate: "changed" };
  await objects?.putIfAbsent(objectKeys.task(harbor.hash), await packTask(harbor.files));
  const { references: _, ...task } = harborTaskRef(harbor, {
    hash: harbor.hash,
    group: result.task_name,
    origin: originOf(result.task_id),
    references: [],
  });
  return { task: { ...task, name: result.task_name }, fate: recorded === undefined ? "unchecked" : "kept" };
}

async function readTask(path: string, taskFiles: ReadTaskFiles): Promise<HarborTask | undefined> {
  const files = await taskFiles(path);
  if (files === undefined) return undefined;
  try {
    return readHarborTask(files, path);
  } catch (error) {
    if (isTracemillError(error, "invalid-task")) return undefined;
    throw error;
  }
}

function digestOfRef(ref: string | undefined): string | undefined {
  return ref !== undefined && /^sha256:[0-9a-f]{64}$/.test(ref) ? ref : undefined;
}

/**
 * A task whose content is not here. Its hash is the content's where the job recorded it; else it stands for the name,
 * place and checksum, so that trials of the same task have the same one. No archive is stored under it.
 */
function absentTask(result: TrialResultFile, recorded: string | undefined): TrialTask {
  const { task_name: name, task_id: id, task_checksum: checksum } = result;
  const hash = recorded ?? sha256Hex(JSON.stringify(["harbor-task", name, id ?? null, checksum ?? null]));
  return {
    hash,
    kind: "harbor",
    name,
    group: name,
    environment: contentId("env", ["harbor-task", hash]),
    origin: originOf(id),
    hasSolution: false,
    decidedBy: "tests",
    tools: [],
    needs: [],
  };
}

/** Where Harbor had it from: a folder, `URL@commit#folder` of a git repository, or `org/name@ref` of a registry. */
function originOf(id: TaskId | undefined): TrialTask["origin"] {
  const { path = "", git_url, git_commit_id, org, name, ref } = id ?? {};
  if (git_url !== undefined)
    return { kind: "folder", path: `${git_url}${git_commit_id ? `@${git_commit_id}` : ""}#${path}` };
  if (name !== undefined) return { kind: "folder", path: `${org ?? ""}/${name}${ref ? `@${ref}` : ""}` };
  return { kind: "folder", path };
}
