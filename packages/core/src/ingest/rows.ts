import { pMapIterable } from "p-map";
import { isTracemillError, type TracemillError } from "../errors.ts";
import { KnownTasks } from "./chain/known-tasks.ts";
import { Trust } from "./chain/trust.ts";
import { latestTime } from "./chain/version.ts";
import type { FetchedRow } from "./fetched-row.ts";
import { IdSet } from "./id-set.ts";
import { type ListedTask, type ListQuery, listTasks, type RowStart } from "./list.ts";
import { type LookDeps, type LookQuery, lookAt, type MissingTask } from "./look.ts";
import type { IngestReject } from "./manifest.ts";

export interface RowQuery extends ListQuery, LookQuery {
  /** Tasks that are looked at at once. */
  concurrency: number;
}

export interface RowDeps
  extends Omit<LookDeps, "known" | "trust">,
    Partial<Pick<LookDeps, "known" | "trust">> {
  /** Ids of the state's tasks that are not in `seen`, which it adds them to. Asked once the lists are read. */
  missing?: ((seen: IdSet) => AsyncIterable<{ id: string; hash: bigint }>) | undefined;
}

/** When the API refuses this many tasks in a row, the API is at fault and not the tasks. */
const MOST_FAILURES = 3;
/** So often all tries for a task are made, before it is put aside. */
const ROUNDS = 3;

/**
 * Every task of the query with its solutions, each once, in the order of the lists, however many are fetched
 * at once; then the tasks of the state before that the lists do not name. Holds at most `concurrency` tasks and one page.
 * @throws TracemillError as `Requester.send`, after the rows before the one that could not be had.
 */
export async function* fetchRows(
  query: RowQuery,
  { missing, known = new KnownTasks(), trust = new Trust({ shown: 0, hidden: 0 }, 0), ...deps }: RowDeps,
  start: RowStart = { resume: { status: "start" }, taken: 0, seen: new IdSet() },
): AsyncGenerator<FetchedRow> {
  const lookDeps = { ...deps, known, trust };
  const tasks = async function* () {
    yield* listTasks(query, deps.client, start);
    if (missing === undefined || start.resume.status === "end") return;
    for await (const { id, hash } of missing(start.seen)) {
      yield { kind: "missing" as const, place: { status: "listed" as const }, id, hash };
    }
  };
  const outcomes = pMapIterable(
    tasks(),
    (task) =>
      task.kind === "task" || task.kind === "missing" ? lookWithPatience(task, query, lookDeps) : task,
    { concurrency: query.concurrency },
  );
  yield* withoutFailures(outcomes);
}

interface Failed {
  kind: "failed";
  place: FetchedRow["place"];
  hash: bigint;
  /** The latest timestamp of its entry, in milliseconds since the epoch. */
  time: number | undefined;
  error: TracemillError;
  reject: IngestReject;
}

/** What comes of a task; one that the API fails to give is asked for again before it is given up. */
async function lookWithPatience(
  task: ListedTask | MissingTask,
  query: LookQuery,
  deps: LookDeps,
): Promise<FetchedRow | Failed> {
  for (let round = 1; ; round += 1) {
    try {
      return await lookAt(task, query, deps);
    } catch (error) {
      if (!isTracemillError(error) || !isOfTask(error)) throw error;
      if (error.retryable && round < ROUNDS) continue;
      const { place, hash, id } = task;
      const value = task.kind === "task" ? task.value : { id };
      return {
        kind: "failed",
        place,
        hash,
        time: latestTime(value),
        error,
        reject: { kind: "task", taskId: id, reason: error.message, value },
      };
    }
  }
}

/** Whether an error may be about one task, and the others be had. */
function isOfTask(error: TracemillError): boolean {
  return ["source-unavailable", "source-protocol"].includes(error.code) || error.context.status === 403;
}

/**
 * Turns tasks that the API would not give into rejects, unless it looks as if the API gives nothing any more:
 * then the error is thrown, and the places of the failed tasks are left for the next fetch.
 */
async function* withoutFailures(outcomes: AsyncIterable<FetchedRow | Failed>): AsyncGenerator<FetchedRow> {
  let failures: Failed[] = [];
  let inARow = 0;
  let succeeded = false;
  for await (const outcome of outcomes) {
    if (outcome.kind !== "failed") {
      yield* failures.map(toRejected);
      failures = [];
      if (isSuccess(outcome)) inARow = 0;
      succeeded ||= isSuccess(outcome);
      yield outcome;
      continue;
    }
    failures.push(outcome);
    inARow += 1;
    if (inARow >= MOST_FAILURES) break;
  }
  const [first] = failures;
  if (first !== undefined && (!succeeded || inARow >= MOST_FAILURES)) throw first.error;
  yield* failures.map(toRejected);
}

/**
 * The API gave a task, or an entry that shows a task to be as it was: on a quiet night there is nothing else between
 * tasks that it never gives.
 */
function isSuccess(outcome: FetchedRow): boolean {
  switch (outcome.kind) {
    case "row":
    case "empty":
    case "gone":
    case "unchanged":
      return true;
    case "rejected":
    case "duplicate":
    case "older":
      return false;
  }
}

function toRejected({ place, hash, time, reject }: Failed): FetchedRow {
  return { kind: "rejected", place, hash, rejects: [reject], ...(time !== undefined && { missed: time }) };
}
