import { buildRow } from "./build-row.ts";
import type { Known } from "./chain/index-line.ts";
import type { FetchedRow } from "./fetched-row.ts";
import { idOf, isObject } from "./json.ts";
import type { ListedTask } from "./list.ts";
import type { IngestReject, Tombstone } from "./manifest.ts";
import type { WholeTask } from "./whole-task.ts";

type TaskName = Pick<ListedTask, "place" | "hash" | "id">;

export interface Found {
  /** What the snapshot before knew. */
  before: Known | undefined;
  /** Fingerprint of the list entry. */
  entry: bigint;
  whole: WholeTask;
  /** It has to be looked at again. */
  moving: boolean;
}

/** What a task that was fetched means for the state: a new row, none at all, or that the one of before still holds. */
export function compare(
  task: TaskName,
  { before, entry, whole, moving }: Found,
  { includeEmpty }: { includeEmpty: boolean },
): FetchedRow {
  const { place, hash, id } = task;
  const base = { place, hash };
  const now: Known = {
    entry,
    task: whole.taskFingerprint,
    solutions: whole.solutionsFingerprint,
    count: before?.count ?? 0,
    held: before?.held ?? false,
    moving,
  };
  if (before !== undefined && before.task === now.task && before.solutions === now.solutions) {
    const same = before.entry === now.entry && before.moving === now.moving;
    return { kind: "unchanged", ...base, looked: true, ...(!same && { note: { id, known: now } }) };
  }
  if (whole.solutions.length === 0 && !includeEmpty) {
    if (before?.held) return gone(task, { before, reason: "emptied", at: whole.fetchedAt, now });
    return { kind: "empty", ...base, note: { id, known: now } };
  }
  const built = buildOwn(id, whole, includeEmpty);
  // The row of before stays the latest one that fits.
  if (built.kind === "rejected") return { ...built, ...base, note: { id, known: now } };
  const known = { ...now, held: true, count: built.solutions };
  const replaces = before?.held ? { replaces: before.count } : {};
  return { ...built, ...base, fetchedAt: whole.fetchedAt, ...replaces, note: { id, known } };
}

/** The row of a task with the solutions that are its own; those that name another task are put aside. */
function buildOwn(id: string, { task, solutions, fetchedAt }: WholeTask, includeEmpty: boolean) {
  const own = solutions.filter((value) => isOwn(id, value));
  const strangers = solutions
    .filter((value) => !isOwn(id, value))
    .map((value): IngestReject => {
      const named = JSON.stringify((value as { task_id: unknown }).task_id);
      const reason = `\`task_id\`: names ${named}, and the solution is listed under ${JSON.stringify(id)}`;
      return { kind: "solution", taskId: id, reason, value };
    });
  if (own.length === 0 && !includeEmpty) return { kind: "rejected" as const, rejects: strangers };
  const built = buildRow({ taskId: id, task, solutions: own, fetchedAt });
  return { ...built, rejects: [...built.rejects, ...strangers] };
}

function isOwn(id: string, solution: unknown): boolean {
  const named = isObject(solution) ? solution.task_id : undefined;
  return named === undefined || named === null || idOf(named) === id;
}

interface Gone {
  before: Known | undefined;
  reason: Tombstone["reason"];
  /** ISO 8601, UTC. */
  at: string;
  /** What is known of a task that is still there. */
  now?: Known;
}

/** A task that has to leave the state. */
export function gone({ place, hash, id }: TaskName, { before, reason, at, now }: Gone): FetchedRow {
  const known = now && { ...now, held: false, count: 0 };
  const tombstone = { taskId: id, reason, at };
  return { kind: "gone", place, hash, tombstone, replaces: before?.count ?? 0, note: { id, known } };
}
