import * as z from "zod";
import { TracemillError } from "../errors.ts";
import type { ListPage, PageHints } from "./page.ts";

/** Which page of a list: by number from 1, by cursor, or by the address that the API gave. */
export const PageAt = z.discriminatedUnion("by", [
  z.strictObject({ by: z.literal("page"), page: z.number().int().min(1) }),
  z.strictObject({ by: z.literal("cursor"), cursor: z.string() }),
  /** Path and query of the page, on the origin of the base URL. */
  z.strictObject({ by: z.literal("url"), path: z.string() }),
]);
export type PageAt = z.infer<typeof PageAt>;

export const ListPosition = z.strictObject({
  at: PageAt,
  /** Entries of the list on the pages before, to hold against its `total`. */
  received: z.number().int().min(0),
});
export type ListPosition = z.infer<typeof ListPosition>;

/** What the pages of one kind have taught about a server that gives no hints. */
export interface Learned {
  /** Most entries seen on one page: a page with fewer was not cut short by a cap of the server. */
  largest: number;
}

export interface WalkDeps {
  /**
   * Fetches one page. `lenient`: nobody said that this page exists, so a refusal means that it does not.
   * @returns `undefined` for such a refusal.
   */
  fetchPage(at: PageAt, lenient: boolean): Promise<ListPage | undefined>;
  /** Path and query of a `next` address; throws when it leads elsewhere. */
  resolveUrl(url: string, from: PageAt): string;
  pageSize: number;
  learned: Learned;
}

export const FIRST_PAGE: ListPosition = { at: { by: "page", page: 1 }, received: 0 };

/** A server that says "more" without giving any new entry is believed this many times in a row. */
const MOST_REPEATS = 3;
/** And one that gives empty pages, each with a new cursor, this many. */
const MOST_EMPTY = 1_000;

interface Next {
  at: PageAt;
  lenient: boolean;
}

/** All pages of a list that have entries not seen on an earlier page, from `start` on, each with its position. */
export async function* walkPages(
  start: ListPosition,
  deps: WalkDeps,
): AsyncGenerator<{ items: unknown[]; position: ListPosition }> {
  const seen = new Set<string>();
  let state: Seen | undefined;
  let next: Next | undefined = { at: start.at, lenient: false };
  while (next !== undefined) {
    const { at, lenient }: Next = next;
    const page = await deps.fetchPage(at, lenient);
    if (page === undefined) return;
    const received: number = state?.received ?? start.received;
    state = look(page, at, { seen, received, barren: state?.barren ?? 0 });
    if (state.fresh) yield { items: page.items, position: { at, received } };
    next = nextPage(state, deps);
  }
}

function look(
  page: ListPage,
  at: PageAt,
  before: { seen: Set<string>; received: number; barren: number },
): Seen {
  const repeated = page.items.length > 0 && before.seen.has(page.fingerprint);
  const fresh = page.items.length > 0 && !repeated;
  before.seen.add(page.fingerprint);
  return {
    page,
    at,
    repeated,
    fresh,
    received: before.received + (fresh ? page.items.length : 0),
    barren: fresh ? 0 : before.barren + 1,
  };
}

/** A page in the light of those before it. */
interface Seen {
  page: ListPage;
  at: PageAt;
  /** Entries so far, this page's included. */
  received: number;
  /** It has entries, and not those of an earlier page. */
  fresh: boolean;
  repeated: boolean;
  /** Pages in a row that were not fresh. */
  barren: number;
}

function nextPage(seen: Seen, deps: WalkDeps): Next | undefined {
  const { at, barren } = seen;
  const { hints } = seen.page;
  if (barren > MOST_EMPTY) {
    throw new TracemillError(
      "source-protocol",
      `the API gave ${barren} empty pages in a row, each with another cursor`,
    );
  }
  if (seen.repeated && barren >= MOST_REPEATS) return undefined;
  if (hints.cursor !== undefined) return byCursor(hints.cursor, at);
  if (at.by === "cursor") return undefined;
  if (hints.nextUrl !== undefined) return byUrl(deps.resolveUrl(hints.nextUrl, at), at);
  return at.by === "page" ? byNumber(at.page, seen, deps) : undefined;
}

function byCursor(cursor: string, at: PageAt): Next | undefined {
  // Some APIs name the cursor of this page rather than of the next one on the last page.
  if (at.by === "cursor" && at.cursor === cursor) return undefined;
  return { at: { by: "cursor", cursor }, lenient: false };
}

function byUrl(path: string, at: PageAt): Next | undefined {
  if (at.by === "url" && at.path === path) return undefined;
  return { at: { by: "url", path }, lenient: false };
}

function byNumber(page: number, seen: Seen, deps: WalkDeps): Next | undefined {
  const { hints } = seen.page;
  const { fresh, barren } = seen;
  if (hints.more === true && barren < MOST_REPEATS) {
    const next = hints.nextPage !== undefined && hints.nextPage > page ? hints.nextPage : page + 1;
    return { at: { by: "page", page: next }, lenient: true };
  }
  const goOn = fresh && expectsMore(hints, seen, deps);
  return goOn ? { at: { by: "page", page: page + 1 }, lenient: true } : undefined;
}

/** Whether a fresh page that no `next` follows is likely not the last one. */
function expectsMore(hints: PageHints, { page, received }: Seen, { learned, pageSize }: WalkDeps): boolean {
  // `total` is believed over "no next": asking for one page too many costs less than losing the rest.
  if (hints.total !== undefined) return received < hints.total;
  if (hints.more === false) return false;
  // Without a hint only a page that is shorter than another was is surely the last: a server may cap pages.
  const short = page.items.length < Math.min(pageSize, learned.largest);
  learned.largest = Math.max(learned.largest, page.items.length);
  return !short;
}
