import { TracemillError } from "../errors.ts";
import { packTask } from "../harbor/archive.ts";
import { readHarborTask } from "../harbor/task.ts";
import { hasMovedValues, restoreValues } from "../ingest/body/whole.ts";
import { type RawRow, Task } from "../production/schemas.ts";
import { harborTaskRef, scenarioTaskRef } from "../run/task-ref.ts";
import type { TaskRef } from "../run/trial.ts";
import { scenarioFiles, scenarioHash } from "../scenario/scenario.ts";
import { parseAs } from "../validation.ts";
import { embeddedTaskFiles, hasEmbeddedTask } from "./embedded-task.ts";
import type { PrepareProblem } from "./manifest.ts";
import { isFaultOfRow, type ReferenceDeps, storeReferences } from "./references.ts";
import { scenarioOf } from "./scenario-task.ts";
import { taskName } from "./task-name.ts";
import { verifyTaskFiles } from "./verify-task.ts";

/** What one row becomes: a task with its references, or else a problem. */
export interface PreparedRow {
  taskId: string;
  task?: { ref: TaskRef; archive: Uint8Array };
  problems: PrepareProblem[];
}

export interface SnapshotOrigin {
  source: string;
  snapshotId: string;
}

/**
 * Turns one row into a task. A row with a Harbor task or a deciding command becomes a Harbor task; any other
 * becomes a scenario. Whatever does not fit is a problem with its reason, never a failure of the whole.
 */
export async function prepareRow(
  row: RawRow,
  origin: SnapshotOrigin,
  deps: ReferenceDeps,
): Promise<PreparedRow> {
  const taskId = row.task.id;
  try {
    const task = await wholeTask(row.task, deps.objects);
    const { references, solutions, problems } = await storeReferences({ ...row, task }, deps);
    const { ref, archive, problems: ofTask } = await taskOf({ ...row, task, solutions }, origin);
    return { taskId, task: { ref: { ...ref, references }, archive }, problems: [...ofTask, ...problems] };
  } catch (error) {
    if (!isFaultOfRow(error)) throw error;
    return { taskId, problems: [{ taskId, reason: error.message }] };
  }
}

async function wholeTask(task: Task, objects: ReferenceDeps["objects"]): Promise<Task> {
  if (!hasMovedValues(task)) return task;
  const where = `task ${task.id}`;
  return parseAs(Task, await restoreValues(task, objects, where), where, "invalid-task");
}

interface RowTask {
  ref: TaskRef;
  archive: Uint8Array;
  problems: PrepareProblem[];
}

async function taskOf(row: RawRow, { source, snapshotId }: SnapshotOrigin): Promise<RowTask> {
  const { task } = row;
  const origin = { kind: "snapshot" as const, source, snapshotId, taskId: task.id };
  const provenance = { group: task.group || undefined, origin, references: [] };
  if (hasEmbeddedTask(task) || task.verify != null) {
    const files = hasEmbeddedTask(task) ? await embeddedTaskFiles(task) : generatedFiles(row, source);
    const harbor = readHarborTask(files, taskName(task.id));
    const ref = harborTaskRef(harbor, { ...provenance, hash: harbor.hash });
    return { ref, archive: await packTask(harbor.files), problems: [] };
  }
  const { scenario, problem } = scenarioOf(row, source);
  const files = scenarioFiles(scenario);
  return {
    ref: scenarioTaskRef(scenario, { ...provenance, hash: scenarioHash(files) }),
    archive: await packTask(files),
    problems: problem === undefined ? [] : [{ taskId: task.id, reason: problem }],
  };
}

function generatedFiles({ task }: RawRow, source: string) {
  if (task.verify == null) throw new TracemillError("invalid-task", `${task.id}: \`verify\` is missing`);
  return verifyTaskFiles(task, task.verify, source);
}
