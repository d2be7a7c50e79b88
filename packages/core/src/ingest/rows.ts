import { pMapIterable } from "p-map";
import { isTracemillError, type TracemillError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import { buildRow, isSolutionSummary, isTaskSummary, withoutRepeats } from "./build-row.ts";
import type { ProductionClient, TaskPage } from "./client.ts";
import type { ResumePoint } from "./cursor.ts";
import { hashId, IdSet } from "./id-set.ts";
import { idOf, isObject } from "./json.ts";
import type { IngestReject } from "./manifest.ts";
import type { FetchOptions } from "./options.ts";
import { FIRST_PAGE } from "./walk.ts";

/** A place in the source: everything before it is dealt with once the row that carries it is. */
export type Place = Extract<ResumePoint, { status: "within" }>;

/** One entry of the source's task lists, in the source's order. */
export type FetchedRow =
  | {
      kind: "row";
      place: Place;
      hash: bigint;
      line: string;
      solutions: number;
      fetchedAt: string;
      rejects: IngestReject[];
    }
  /** Left out: it has no solutions. */
  | { kind: "empty"; place: Place; hash: bigint }
  /** Named before. */
  | { kind: "duplicate"; place: Place }
  /** Put aside: it does not fit, or the API would not give it. */
  | { kind: "rejected"; place: Place; hash?: bigint; rejects: IngestReject[] };

export type RowQuery = Pick<
  FetchOptions,
  "statuses" | "search" | "maxTasks" | "includeEmpty" | "concurrency"
>;

export interface RowDeps {
  client: ProductionClient;
  clock: Clock;
}

/** Where an earlier fetch stopped. */
export interface RowStart {
  resume: ResumePoint;
  /** Tasks that it took from the lists, and hashes of their ids. */
  taken: number;
  seen: IdSet;
}

/** When the API refuses this many tasks in a row, the API is at fault and not the tasks. */
const MOST_FAILURES = 3;

/**
 * Every task of the query with its solutions, each once, in the order of the lists, however many are fetched
 * at once. Holds at most `concurrency` tasks and one page.
 * @throws TracemillError as `Requester.send`, after the rows before the one that could not be had.
 */
export async function* fetchRows(
  query: RowQuery,
  deps: RowDeps,
  start: RowStart = { resume: { status: "start" }, taken: 0, seen: new IdSet() },
): AsyncGenerator<FetchedRow> {
  const { concurrency } = query;
  const outcomes = pMapIterable(
    listEntries(query, deps.client, start),
    (entry) => (entry.kind === "task" ? fetchTask(entry, query, deps) : entry),
    { concurrency },
  );
  yield* withoutFailures(outcomes);
}

interface TaskEntry {
  kind: "task";
  place: Place;
  hash: bigint;
  id: string;
  value: Record<string, unknown>;
}

type Listed = TaskEntry | Extract<FetchedRow, { kind: "duplicate" | "rejected" }>;

interface Failed {
  kind: "failed";
  place: Place;
  hash: bigint;
  error: TracemillError;
  reject: IngestReject;
}

async function* listEntries(
  query: RowQuery,
  client: ProductionClient,
  { resume, taken, seen }: RowStart,
): AsyncGenerator<Listed> {
  let left = (query.maxTasks ?? Number.POSITIVE_INFINITY) - taken;
  for await (const { value, place, before } of listAll(query, client, resume)) {
    if (left <= 0) return;
    const entry = identify(value, place);
    const fresh = entry.kind === "task" ? seen.add(entry.hash) : !before;
    // The page was read in part by an earlier fetch: what that one dealt with is no duplicate.
    if (!fresh && before) continue;
    if (fresh) left -= 1;
    yield fresh ? entry : { kind: "duplicate", place };
    if (left <= 0) return;
  }
}

interface Listing {
  value: unknown;
  place: Place;
  /** At a place that an earlier fetch had passed. */
  before: boolean;
}

/** The entries of the lists of all statuses, from the page of `resume` on. */
async function* listAll(
  { statuses, search }: RowQuery,
  client: ProductionClient,
  resume: ResumePoint,
): AsyncGenerator<Listing> {
  if (resume.status === "end") return;
  const first = resume.status === "within" ? resume.list : 0;
  for (const [list, status] of statuses.entries()) {
    if (list < first) continue;
    const from = resume.status === "within" && list === first ? resume : { position: FIRST_PAGE, done: 0 };
    const pages = client.tasks({ status, search, from: from.position });
    yield* entriesOf(pages, list, from.done);
  }
}

/** @param done entries of the first page that an earlier fetch had passed. */
async function* entriesOf(
  pages: AsyncIterable<TaskPage>,
  list: number,
  done: number,
): AsyncGenerator<Listing> {
  let passed = done;
  for await (const { items, position } of pages) {
    for (const [index, value] of items.entries()) {
      yield { value, place: { status: "within", list, position, done: index + 1 }, before: index < passed };
    }
    passed = 0;
  }
}

function identify(value: unknown, place: Place): TaskEntry | Extract<FetchedRow, { kind: "rejected" }> {
  const id = isObject(value) ? idOf(value.id) : undefined;
  if (isObject(value) && id !== undefined) return { kind: "task", place, hash: hashId(id), id, value };
  const reason = isObject(value) ? "`id`: missing, or neither text nor a number" : "(root): not an object";
  return { kind: "rejected", place, rejects: [{ kind: "task", reason, value }] };
}

async function fetchTask(entry: TaskEntry, query: RowQuery, deps: RowDeps): Promise<FetchedRow | Failed> {
  const { place, hash, id } = entry;
  try {
    const solutions = withoutRepeats(await deps.client.solutions(id));
    if (solutions.length === 0 && !query.includeEmpty) return { kind: "empty", place, hash };
    const task = await wholeTask(entry, deps.client);
    const whole: unknown[] = [];
    for (const solution of solutions) whole.push(await wholeSolution(solution, deps.client));
    const fetchedAt = new Date(deps.clock.now()).toISOString();
    const built = buildRow({ taskId: id, task, solutions: whole, fetchedAt });
    return built.kind === "row" ? { ...built, place, hash, fetchedAt } : { ...built, place, hash };
  } catch (error) {
    if (!isTracemillError(error, "source-unavailable", "source-protocol")) throw error;
    const reject: IngestReject = { kind: "task", taskId: id, reason: error.message, value: entry.value };
    return { kind: "failed", place, hash, error, reject };
  }
}

async function wholeTask(
  { id, value }: TaskEntry,
  client: ProductionClient,
): Promise<Record<string, unknown>> {
  return isTaskSummary(value) ? { ...value, ...(await client.task(id)) } : value;
}

async function wholeSolution(value: unknown, client: ProductionClient): Promise<unknown> {
  if (!isObject(value) || !isSolutionSummary(value)) return value;
  const id = idOf(value.id);
  return id === undefined ? value : { ...value, ...(await client.solution(id)) };
}

/**
 * Turns tasks that the API would not give into rejects, unless it looks as if the API gives nothing any more:
 * then the error is thrown, and the places of the failed tasks are left for the next fetch.
 */
async function* withoutFailures(outcomes: AsyncIterable<FetchedRow | Failed>): AsyncGenerator<FetchedRow> {
  let failures: Failed[] = [];
  let succeeded = false;
  for await (const outcome of outcomes) {
    if (outcome.kind !== "failed") {
      yield* failures.map(toRejected);
      failures = [];
      succeeded ||= outcome.kind === "row" || outcome.kind === "empty";
      yield outcome;
      continue;
    }
    failures.push(outcome);
    if (failures.length >= MOST_FAILURES) break;
  }
  const [first] = failures;
  if (first !== undefined && (!succeeded || failures.length >= MOST_FAILURES)) throw first.error;
  yield* failures.map(toRejected);
}

function toRejected({ place, hash, reject }: Failed): FetchedRow {
  return { kind: "rejected", place, hash, rejects: [reject] };
}
