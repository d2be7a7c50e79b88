import { hashId, IdSet } from "../ingest/id-set.ts";
import type { ReferenceSolution, TaskRef } from "../run/trial.ts";
import type { PreparedManifest } from "./manifest.ts";
import type { PreparedLine } from "./own-rows.ts";

/** What rows came to, and which of their tasks an earlier row had brought. */
export class Tally {
  readonly counts = { rows: 0, harbor: 0, scenario: 0, references: 0 };
  readonly duplicates: { taskId: string; hash: string }[] = [];
  readonly problems: PreparedManifest["problems"] = [];
  /** Solutions of rows whose task an earlier row had brought, by its hash. */
  readonly late = new Map<string, ReferenceSolution[]>();
  readonly #seen = new IdSet();

  /** @returns the task to list; none for a duplicate and for a row that is a problem. */
  add({ taskId, task, problems }: PreparedLine): TaskRef | undefined {
    this.counts.rows += 1;
    this.problems.push(...problems);
    if (task === undefined) return undefined;
    const { hash, kind, references } = task;
    this.counts.references += references.length;
    if (!this.#seen.add(hashId(hash))) {
      this.duplicates.push({ taskId, hash });
      this.late.set(hash, [...(this.late.get(hash) ?? []), ...references]);
      return undefined;
    }
    this.counts[kind] += 1;
    return task;
  }
}

/** The tasks with the solutions that later rows of the same task brought. */
export async function* withLateReferences(
  tasks: AsyncIterable<TaskRef>,
  { late }: Pick<Tally, "late">,
): AsyncGenerator<TaskRef> {
  for await (const task of tasks) {
    yield { ...task, references: [...task.references, ...(late.get(task.hash) ?? [])] };
  }
}

/** The tasks of the lines, each once. */
export async function* tasksOf(lines: AsyncIterable<PreparedLine>, tally: Tally): AsyncGenerator<TaskRef> {
  for await (const line of lines) {
    const task = tally.add(line);
    if (task !== undefined) yield task;
  }
}
