import { createHash } from "node:crypto";
import { TracemillError } from "../errors.ts";
import { idOf, isObject, numberOf } from "./json.ts";

export type ListKind = "tasks" | "solutions";

/** Where the list of an answer may be, in the order in which they are looked for. */
const LIST_KEYS: Record<ListKind, readonly string[]> = {
  tasks: ["results", "items", "data", "tasks"],
  solutions: ["results", "items", "data", "solutions", "tasks"],
};
const CURSOR_KEYS = ["next_cursor", "nextCursor", "cursor"];
const HAS_NEXT_KEYS = ["hasNext", "has_next"];
/** Where the hints may be, beside the list itself. */
const HINT_PLACES = ["pagination", "paging", "meta"];

/** What an answer says about the pages after it. */
export interface PageHints {
  /** An opaque cursor of the next page. */
  cursor?: string;
  /** Address of the next page, as given. */
  nextUrl?: string;
  nextPage?: number;
  /** What `next` and `hasNext` say about there being more; absent when they say nothing. */
  more?: boolean;
  /** Entries of the whole list. */
  total?: number;
}

export interface ListPage {
  items: unknown[];
  hints: PageHints;
  /** Equal for pages with the same entries. */
  fingerprint: string;
}

/**
 * Reads one page of a list, whatever its form.
 * @param path of the request, for messages.
 * @throws TracemillError `source-protocol` when there is no list in it.
 */
export function readPage(body: unknown, kind: ListKind, path: string): ListPage {
  const items = findList(body, kind);
  if (items === undefined) {
    const found = isObject(body) ? Object.keys(body).slice(0, 8).join(", ") : typeof body;
    throw new TracemillError(
      "source-protocol",
      `${path}: no list under ${LIST_KEYS[kind].join(", ")} (found: ${found || "nothing"}); check the base URL`,
    );
  }
  return { items, hints: readHints(body), fingerprint: fingerprintOf(items) };
}

function findList(body: unknown, kind: ListKind): unknown[] | undefined {
  if (Array.isArray(body)) return body;
  if (!isObject(body)) return undefined;
  for (const key of LIST_KEYS[kind]) {
    const value = body[key];
    if (Array.isArray(value)) return value;
  }
  // `{"data": {"tasks": [...]}}`
  return isObject(body.data) ? findList(body.data, kind) : undefined;
}

function readHints(body: unknown): PageHints {
  if (!isObject(body)) return {};
  const inner = isObject(body.data) ? [body.data] : [];
  const places = [body, ...inner].flatMap((place) => [place, ...HINT_PLACES.map((key) => place[key])]);
  const hints: PageHints = {};
  for (const place of places.filter(isObject)) {
    // Of two that disagree, `hasNext` says more plainly what it means than a `next` of null.
    const found = { ...hintOfNext(place), ...hintOfHasNext(place), ...hintOfCursor(place) };
    const total = numberOf(place.total);
    Object.assign(hints, total === undefined ? {} : { total }, found, hints);
  }
  return hints;
}

function hintOfCursor(place: Record<string, unknown>): PageHints {
  for (const key of CURSOR_KEYS) {
    const cursor = idOf(place[key]);
    if (cursor !== undefined) return { cursor };
  }
  return {};
}

function hintOfHasNext(place: Record<string, unknown>): PageHints {
  const value = HAS_NEXT_KEYS.map((key) => place[key]).find((found) => typeof found === "boolean");
  return value === undefined ? {} : { more: value };
}

function hintOfNext({ next }: Record<string, unknown>): PageHints {
  const page = numberOf(next) ?? (typeof next === "string" && /^\d+$/.test(next) ? Number(next) : undefined);
  if (page !== undefined) return page > 0 ? { more: true, nextPage: page } : { more: false };
  if (typeof next === "boolean") return { more: next };
  if (next === null || next === "") return { more: false };
  if (typeof next !== "string") return {};
  return looksLikeUrl(next) ? { more: true, nextUrl: next } : { more: true, cursor: next };
}

function looksLikeUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^[/?]/.test(text) || text.includes("?");
}

function fingerprintOf(items: readonly unknown[]): string {
  const hash = createHash("sha256");
  for (const item of items) {
    const id = isObject(item) ? (idOf(item.id) ?? idOf(item.task_id)) : undefined;
    hash.update(id === undefined ? `j${JSON.stringify(item)}\n` : `i${id}\n`);
  }
  return hash.digest("base64");
}
