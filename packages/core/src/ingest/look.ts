import type { Clock } from "../ports/clock.ts";
import { fingerprint } from "./chain/fingerprint.ts";
import type { Known } from "./chain/index-line.ts";
import type { KnownTasks } from "./chain/known-tasks.ts";
import type { Trust } from "./chain/trust.ts";
import { disagree, isVersioned, latestTime } from "./chain/version.ts";
import type { ProductionClient } from "./client.ts";
import { compare, gone } from "./compare.ts";
import type { FetchedRow } from "./fetched-row.ts";
import type { ListedTask } from "./list.ts";
import { fetchWhole, type WholeTask } from "./whole-task.ts";

/** A task of the state before that the lists do not name. */
export interface MissingTask extends Pick<ListedTask, "place" | "hash" | "id"> {
  kind: "missing";
}

export interface LookQuery {
  includeEmpty: boolean;
  /** Entries that were last changed before are left alone. Milliseconds since the epoch. */
  sinceMs?: number | undefined;
  /** The lists name every task of the query: one that they do not name is gone, or has another status now. */
  complete: boolean;
}

export interface LookDeps {
  client: ProductionClient;
  clock: Clock;
  /** What the snapshot before knows; nothing for a full one. */
  known: Pick<KnownTasks, "get">;
  trust: Pick<Trust, "maySkip" | "isAudited" | "witness">;
}

/** Finds out how a task stands, with no more requests than that takes. */
export async function lookAt(
  task: ListedTask | MissingTask,
  query: LookQuery,
  deps: LookDeps,
): Promise<FetchedRow> {
  if (task.kind === "missing") return lookForMissing(task, query, deps);
  const before = deps.known.get(task.hash);
  const time = latestTime(task.value);
  const older = query.sinceMs !== undefined && time !== undefined && time < query.sinceMs;
  if (older && before?.moving !== true) return { kind: "older", place: task.place, hash: task.hash };
  return lookAtEntry(task, query, deps);
}

/** Asks for a task by its id. */
async function lookForMissing(task: MissingTask, query: LookQuery, deps: LookDeps): Promise<FetchedRow> {
  const { place, hash, id } = task;
  const value = await deps.client.task(id);
  if (value !== undefined) return lookAtEntry({ kind: "task", place, hash, id, value }, query, deps);
  // Where a list is not whole, its silence is no second witness: an API may have no details to give.
  if (!query.complete) return { kind: "unchanged", place, hash, looked: true };
  const at = new Date(deps.clock.now()).toISOString();
  return gone(task, { before: deps.known.get(hash), reason: "deleted", at });
}

async function lookAtEntry(task: ListedTask, query: LookQuery, deps: LookDeps): Promise<FetchedRow> {
  const { place, hash, value } = task;
  const before = deps.known.get(hash);
  const entry = fingerprint(value);
  const skips = before !== undefined && deps.trust.maySkip({ value, fingerprint: entry }, before);
  if (skips && !deps.trust.isAudited(hash)) return { kind: "unchanged", place, hash, looked: false };
  const whole = await fetchWhole(task, query, deps);
  const change = await explain(task, { entry, before, whole }, deps);
  if (change === "shown" || change === "hidden") deps.trust.witness(change);
  const moving = whole.moving || change === "raced";
  const row = compare(task, { before, entry, whole, moving }, query);
  const time = latestTime(value);
  return {
    ...row,
    ...((change === "shown" || change === "hidden") && { evidence: change }),
    ...(time !== undefined && { time }),
  };
}

/**
 * What a task that was known and at rest says of the source's entries when it has changed: that its entry showed the
 * change, or hid it. `raced`: it changed after its entry was read.
 */
async function explain(
  { id, value }: ListedTask,
  { entry, before, whole }: { entry: bigint; before: Known | undefined; whole: WholeTask },
  { client }: LookDeps,
): Promise<"shown" | "hidden" | "raced" | undefined> {
  if (before === undefined || before.moving || !isVersioned(value)) return undefined;
  const isSame = before.solutions === whole.solutionsFingerprint;
  if (before.entry !== entry) return isSame ? undefined : "shown";
  if (isSame && before.task === whole.taskFingerprint) return undefined;
  // Details that are read after the change name the version that it made.
  const detail = whole.detail ?? (await client.task(id));
  if (detail === undefined) return whole.solutions.length === 0 ? "raced" : "hidden";
  return disagree(value, detail) ? "raced" : "hidden";
}
