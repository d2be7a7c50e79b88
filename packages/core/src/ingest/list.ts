import { isTracemillError } from "../errors.ts";
import type { ProductionClient } from "./client.ts";
import type { ResumePoint } from "./cursor.ts";
import type { FetchedRow, Place } from "./fetched-row.ts";
import { hashId, type IdSet } from "./id-set.ts";
import { idOf, isObject } from "./json.ts";
import type { FetchOptions } from "./options.ts";
import { FIRST_PAGE, type ListPosition } from "./walk.ts";

export type ListQuery = Pick<FetchOptions, "statuses" | "search" | "maxTasks"> & {
  /** Sent with each list, for an API that filters. */
  filter?: Record<string, string> | undefined;
};

/** Where an earlier fetch stopped. */
export interface RowStart {
  resume: ResumePoint;
  /** Tasks that it took from the lists, and hashes of their ids. */
  taken: number;
  seen: IdSet;
}

/** A task that a list names. */
export interface ListedTask {
  kind: "task";
  place: Place;
  hash: bigint;
  id: string;
  /** Its list entry. */
  value: Record<string, unknown>;
}

export type Listed = ListedTask | Extract<FetchedRow, { kind: "duplicate" | "rejected" }>;

/** The tasks that the lists of all statuses name, each once, and what is wrong with other entries. */
export async function* listTasks(
  query: ListQuery,
  client: ProductionClient,
  { resume, taken, seen }: RowStart,
): AsyncGenerator<Listed> {
  let left = (query.maxTasks ?? Number.POSITIVE_INFINITY) - taken;
  for await (const { value, place, before } of listAll(query, client, resume)) {
    if (left <= 0) return;
    const entry = identify(value, place);
    const fresh = seen.add(entry.hash);
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
  /** At a place that was, or may have been, passed before. */
  before: boolean;
}

/** Up to which entry a list was read. */
interface ListPlace {
  position: ListPosition;
  /** Entries of that page that were passed. */
  done: number;
}

const LIST_START: ListPlace = { position: FIRST_PAGE, done: 0 };

/** The entries of the lists of all statuses, from the page of `resume` on. */
async function* listAll(
  query: ListQuery,
  client: ProductionClient,
  resume: ResumePoint,
): AsyncGenerator<Listing> {
  if (resume.status === "end" || resume.status === "listed") return;
  const first = resume.status === "within" ? resume.list : 0;
  for (const [list, status] of query.statuses.entries()) {
    if (list < first) continue;
    const from = resume.status === "within" && list === first ? resume : LIST_START;
    yield* entriesOf({ ...query, list, status }, client, from);
  }
}

/** One list, begun again where the API does not let it be gone on with. */
async function* entriesOf(
  { search, filter, list, status }: ListQuery & { list: number; status: string },
  client: ProductionClient,
  from: ListPlace,
): AsyncGenerator<Listing> {
  const restart = new Restart(from);
  for (;;) {
    try {
      const pages = client.tasks({ status, search, filter, from: restart.place.position });
      for await (const { items, position } of pages) {
        const passed = restart.passed();
        for (const [index, value] of items.entries()) {
          yield {
            value,
            place: { status: "within", list, position, done: index + 1 },
            before: index < passed,
          };
        }
        restart.got({ position, done: items.length });
      }
      return;
    } catch (error) {
      restart.after(error);
    }
  }
}

/** Refusals of a page that was there: its cursor has run out, or the list has become shorter. */
const FORGOTTEN = [400, 404, 410, 416, 422];
const MOST_RESTARTS = 3;

/** From where a list is read again when a page cannot be had. */
class Restart {
  place: ListPlace;
  #left = MOST_RESTARTS;
  /** Entries of the next page, or of all of them, that were passed before. */
  #passed: number;
  /** Pages since the last restart. */
  #pages = 0;
  #wholeList = false;

  constructor(from: ListPlace) {
    this.place = from;
    this.#passed = from.done;
  }

  passed(): number {
    return this.#wholeList ? Number.POSITIVE_INFINITY : this.#passed;
  }

  got(place: ListPlace): void {
    this.place = place;
    this.#passed = 0;
    this.#pages += 1;
  }

  /** Sets the place to go on from. @throws the error when there is none. */
  after(error: unknown): void {
    this.#left -= 1;
    if (this.#left < 0 || !isTracemillError(error, "source-protocol", "source-unavailable")) throw error;
    if (error.code === "source-unavailable") {
      // A source that has given no page since the last try is down; one that has is having a bad moment.
      if (this.#pages === 0) throw error;
      this.#passed = this.place.done;
    } else {
      const known = FORGOTTEN.includes(Number(error.context.status));
      if (!known || this.place.position === FIRST_PAGE) throw error;
      this.place = LIST_START;
      this.#wholeList = true;
    }
    this.#pages = 0;
  }
}

/** Entries without an id are told apart by all that they say. */
function identify(value: unknown, place: Place): ListedTask | Extract<FetchedRow, { kind: "rejected" }> {
  const id = isObject(value) ? idOf(value.id) : undefined;
  if (isObject(value) && id !== undefined) return { kind: "task", place, hash: hashId(id), id, value };
  const reason = isObject(value) ? "`id`: missing, or neither text nor a number" : "(root): not an object";
  const hash = hashId(`no id: ${JSON.stringify(value)}`);
  return { kind: "rejected", place, hash, rejects: [{ kind: "task", reason, value }] };
}
