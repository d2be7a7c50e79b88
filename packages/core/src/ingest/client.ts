import { TracemillError } from "../errors.ts";
import { isObject } from "./json.ts";
import { type ListKind, type ListPage, readPage } from "./page.ts";
import { createRequester, type RequestDeps, type Requester, type WriteOptions } from "./request.ts";
import { MOST_REQUESTS } from "./request-limit.ts";
import type { Answer } from "./verdict.ts";
import { FIRST_PAGE, type ListPosition, type PageAt, walkPages } from "./walk.ts";

export interface ClientOptions {
  /** For example `https://api.example.com/v1`; `/tasks` is added to its path. */
  baseUrl: string;
  token: string;
  /** The variable that the token came from, for messages. Default: `TRACEMILL_PROD_API_TOKEN`. */
  tokenName?: string;
  /** Entries a page to ask for; a server may give fewer. Default: 100. */
  taskPageSize?: number;
  solutionPageSize?: number;
  /** Milliseconds for one request. Default: 30,000. */
  timeoutMs?: number;
  /** Least milliseconds between the starts of two requests. Default: 0. */
  sleepMs?: number;
  /** Tries after the first one. Default: 5, which waits 15 s in all at most. */
  maxRetries?: number;
  /** Most requests under way at once. Default: 32. */
  concurrency?: number;
}

export interface PostOptions extends WriteOptions {
  expected?: readonly number[];
}

export interface TaskPage {
  /** Entries of the list as the source sent them (`parseExact`). */
  items: unknown[];
  /** Gives this page again, as `from`. */
  position: ListPosition;
}

/** HTTP requests so far, and how many of them were repeats. */
export type ClientStats = Requester["stats"];

/** A production task API, whatever form its pages take. Errors: see `Requester.send`. */
export interface ProductionClient {
  /** Pages of `GET /tasks` for one status, in the API's order. */
  tasks(query: {
    status?: string | undefined;
    search?: string | undefined;
    /** Further parameters of the query, for an API that filters by them. */
    filter?: Record<string, string> | undefined;
    from?: ListPosition;
  }): AsyncGenerator<TaskPage>;
  /** `GET /tasks/{id}`; `undefined` when the API has none (404, 410). */
  task(id: string): Promise<Record<string, unknown> | undefined>;
  /** Every entry of `GET /tasks/{id}/solutions`, in the API's order; none when the API answers 404 or 410. */
  solutions(taskId: string): Promise<unknown[]>;
  /** `GET /solutions/{id}`; `undefined` when the API has none (404, 410). */
  solution(id: string): Promise<Record<string, unknown> | undefined>;
  /**
   * `POST` of a JSON object to a path under the base URL; a demanded nonce or run id becomes a field of it.
   * @param options refusals in `expected` are answers to the caller.
   */
  post(path: string, body: Record<string, unknown>, options?: PostOptions): Promise<Answer>;
  /** Origin and path of the base URL: what may be recorded. */
  readonly baseUrl: string;
  readonly stats: ClientStats;
}

/** Refusals that say that there is no such thing, or no more. */
const NONE = [404, 410];
/** Refusals of a page that nobody promised: no such page, or not in range. */
const NO_SUCH_PAGE = [400, ...NONE, 416, 422];

/** @throws TracemillError `invalid-input` for a base URL or token that cannot be used. */
export function createProductionClient(options: ClientOptions, deps: RequestDeps): ProductionClient {
  const base = parseBaseUrl(options.baseUrl);
  const requester = createRequester(
    {
      token: options.token,
      tokenName: options.tokenName ?? "TRACEMILL_PROD_API_TOKEN",
      timeoutMs: options.timeoutMs ?? 30_000,
      sleepMs: options.sleepMs ?? 0,
      maxRetries: options.maxRetries ?? 5,
      mostAtOnce: options.concurrency ?? MOST_REQUESTS,
    },
    deps,
  );
  const lists = {
    tasks: { pageSize: options.taskPageSize ?? 100, learned: { largest: 0 } },
    solutions: {
      pageSize: options.solutionPageSize ?? 100,
      learned: { largest: 0 },
    },
  };

  function pagesOf(kind: ListKind, path: string, params: Record<string, string>, from: ListPosition) {
    const { pageSize, learned } = lists[kind];
    const urlOf = (at: PageAt): URL => pageUrl(base, path, { ...params, page_size: String(pageSize) }, at);
    return walkPages(from, {
      pageSize,
      learned,
      resolveUrl: (next, at) => sameOriginPath(next, urlOf(at), base, options.token),
      async fetchPage(at, lenient): Promise<ListPage | undefined> {
        const expected = lenient ? NO_SUCH_PAGE : kind === "solutions" ? NONE : [];
        const answer = await requester.send(urlOf(at), { expected });
        return answer.status >= 400 ? undefined : readPage(answer.body, kind, path);
      },
    });
  }

  async function one(path: string, wrapper: string): Promise<Record<string, unknown> | undefined> {
    const { status, body } = await requester.send(endpoint(base, path), { expected: NONE });
    if (NONE.includes(status)) return undefined;
    const found = unwrap(body, wrapper);
    if (found === undefined)
      throw new TracemillError("source-protocol", `GET ${path}: the answer is no object`);
    return found;
  }

  return {
    baseUrl: base.origin + base.pathname,
    stats: requester.stats,
    tasks({ status, search, filter, from = FIRST_PAGE }) {
      const params: Record<string, string> = { ...filter };
      if (status !== undefined) params.status = status;
      if (search !== undefined) params.search = search;
      return pagesOf("tasks", "/tasks", params, from);
    },
    task: (id) => one(`/tasks/${escapeId(id)}`, "task"),
    async solutions(taskId) {
      const all: unknown[] = [];
      const pages = pagesOf("solutions", `/tasks/${escapeId(taskId)}/solutions`, {}, FIRST_PAGE);
      for await (const { items } of pages) all.push(...items);
      return all;
    },
    solution: (id) => one(`/solutions/${escapeId(id)}`, "solution"),
    post: (path, body, { expected, ...write } = {}) =>
      requester.send(endpoint(base, path), { body, write, ...(expected && { expected }) }),
  };
}

function parseBaseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TracemillError(
      "invalid-input",
      "the base URL is no http or https address; give it as https://host/path",
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new TracemillError(
      "invalid-input",
      "the base URL holds a user name or password; give the token instead",
    );
  }
  url.pathname = url.pathname.replace(/\/+$/, "");
  url.hash = "";
  return url;
}

function endpoint(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = base.pathname.replace(/\/$/, "") + path;
  return url;
}

function pageUrl(base: URL, path: string, params: Record<string, string>, at: PageAt): URL {
  if (at.by === "url") {
    const url = new URL(at.path, base.origin);
    for (const [name, value] of base.searchParams) url.searchParams.set(name, value);
    return url;
  }
  const url = endpoint(base, path);
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  if (at.by === "page") url.searchParams.set("page", String(at.page));
  else url.searchParams.set("cursor", at.cursor);
  return url;
}

/** An id as one segment of a path. */
export function escapeId(id: string): string {
  // URL parsing takes these two for steps in the tree, escaped or not.
  if (id === "." || id === "..") {
    throw new TracemillError("source-protocol", `the id \`${id}\` cannot be asked for by its path`);
  }
  return encodeURIComponent(id.toWellFormed());
}

/** What is kept of a `next` address: no other origin, no secret (token, the base URL's own query), nothing of one run alone. */
function sameOriginPath(next: string, from: URL, base: URL, token: string): string {
  const url = URL.parse(next, from.href);
  if (url?.origin !== from.origin) {
    throw new TracemillError(
      "source-protocol",
      `\`next\` leads to ${url?.origin ?? "no address"}, which must not get the token; the base URL's origin is ${from.origin}`,
    );
  }
  for (const [name, value] of [...url.searchParams]) {
    const secret = value === token || base.searchParams.get(name) === value;
    if (secret || name === "nonce" || name === "run_id") url.searchParams.delete(name);
  }
  return url.pathname + url.search;
}

/** `{"task": {...}}` and `{"data": {...}}` are the object inside. */
function unwrap(body: unknown, wrapper: string): Record<string, unknown> | undefined {
  if (!isObject(body)) return undefined;
  if (body.id !== undefined) return body;
  for (const key of [wrapper, "data", "result"]) {
    const inner = body[key];
    if (isObject(inner)) return inner;
  }
  return body;
}
