import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import {
  readWrite,
  takeWrite,
  type WriteQuirks,
  type WriteState,
  withEvaluation,
} from "./production-writes.ts";

type Item = Record<string, unknown>;

/** One way to go wrong, for requests whose path and query match. */
export interface Fault {
  /** Default: every request. */
  match?: RegExp;
  /** How many requests are hit. Default: 1. */
  times?: number;
  kind: "status" | "truncated" | "html" | "reset" | "stall" | "redirect";
  /** For `status`. Default: 500. */
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  /** For `redirect`. */
  location?: string;
}

/** What a page says about the pages after it. */
export type Hint =
  | "total"
  | "next-url"
  | "next-relative-url"
  | "next-number"
  | "next-boolean"
  | "hasNext"
  | "has_next"
  | "next_cursor"
  | "nextCursor"
  | "cursor"
  | "none";

export interface Quirks {
  /** The bearer token that is let in. Default: `secret-token`. */
  token?: string;
  /** Key of the list, or `bare` for a list alone. Default: `results`. */
  listKey?: "results" | "items" | "data" | "tasks" | "solutions" | "bare";
  /** Default: `total`. */
  hint?: Hint;
  /** Most entries on a page, whatever is asked. */
  pageCap?: number;
  /** What pages after the last one are: empty (the default), 404, or the last page over again. */
  beyond?: "empty" | "404" | "repeat";
  /** Every page number gives the first page. */
  ignoresPage?: boolean;
  /** The lists name ids and statuses alone. */
  summaries?: { tasks?: boolean; solutions?: boolean };
  /** Ids whose `/tasks/{id}` or `/solutions/{id}` answers 404. */
  missing?: string[];
  /** Requests without this field are refused with `error`. */
  demand?: { field: "nonce" | "run_id"; value?: string; status?: number; error: unknown }[];
  /** Leads the `next` of every page to another origin. */
  foreignNext?: string;
  faults?: Fault[];
  /** How writes go. Without it a write is answered with what it said, and changes nothing. */
  writes?: WriteQuirks;
}

export interface SeenRequest {
  method: string;
  /** Path and query as they came. */
  url: string;
  authorization: string | undefined;
  headers: IncomingMessage["headers"];
  body: unknown;
}

export interface ProductionApi extends AsyncDisposable {
  /** Base URL, to which `/tasks` is added. */
  url: string;
  requests: SeenRequest[];
  /** Most requests that were open at once. */
  readonly mostAtOnce: number;
  /** May be changed between requests, as may the two below. */
  quirks: Quirks;
  tasks: unknown[];
  solutions: Record<string, unknown[]>;
  close(): Promise<void>;
}

export interface ProductionApiOptions {
  /** In the order of the lists. Filtered by `status` when a task has one. */
  tasks: unknown[];
  /** Solutions by task id. */
  solutions?: Record<string, unknown[]>;
  quirks?: Quirks;
}

interface Reply {
  /** `cut`: no answer, the connection is closed. */
  status: number | "cut";
  body: unknown;
  headers?: Record<string, string>;
}

/** A production task API on 127.0.0.1 under `/api/v1`, with switchable quirks. */
export async function startProductionApi(options: ProductionApiOptions): Promise<ProductionApi> {
  const { quirks = {} } = options;
  const requests: SeenRequest[] = [];
  const writes: WriteState = { made: new Map(), writes: 0, asked: new Map() };
  const state = { open: 0, mostAtOnce: 0, hits: new Map<Fault, number>() };

  const server = createServer((request, response) => {
    state.open += 1;
    state.mostAtOnce = Math.max(state.mostAtOnce, state.open);
    response.on("close", () => {
      state.open -= 1;
    });
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readWrite(request, await buffer(request));
    const url = request.url ?? "/";
    const { authorization } = request.headers;
    const seen = { method: request.method ?? "", url, authorization, headers: request.headers };
    requests.push({ ...seen, body: request.method === "GET" ? undefined : body });
    const fault = nextFault(quirks, url, state.hits);
    if (fault !== undefined) applyFault(fault, response);
    else send(response, route(new URL(url, api.url), request, body));
  }

  function route(url: URL, request: IncomingMessage, body: Item): Reply {
    if (request.headers.authorization !== `Bearer ${quirks.token ?? "secret-token"}`) {
      return { status: 401, body: { error: "bad token" } };
    }
    const demanded = demand(quirks, request.method === "GET" ? Object.fromEntries(url.searchParams) : body);
    if (demanded !== undefined) return demanded;
    if (request.method === "POST") return write(url, request, body);
    return resource(url);
  }

  function write(url: URL, request: IncomingMessage, body: Item): Reply {
    if (quirks.writes === undefined) return { status: 201, body: { received: body } };
    const path = url.pathname.split("/").slice(3).map(decodeURIComponent);
    const key = String(request.headers["idempotency-key"]);
    return takeWrite(path, { key, body }, api, quirks.writes ?? {}, writes);
  }

  function resource(url: URL): Reply {
    const [kind = "", id, inner] = url.pathname.split("/").slice(3).map(decodeURIComponent);
    if (kind === "tasks" && id === undefined) return taskList(url);
    if (kind === "tasks" && id !== undefined) return inner ? solutionList(url, id) : detail(api.tasks, id);
    if (kind === "solutions" && id !== undefined) {
      return withEvaluation(detail(Object.values(api.solutions).flat(), id), id, quirks.writes, writes);
    }
    return { status: 404, body: { error: "no such path" } };
  }

  function taskList(url: URL): Reply {
    const status = url.searchParams.get("status");
    const search = url.searchParams.get("search");
    const found = (api.tasks as Item[]).filter(
      (task) =>
        (status === null || task?.status === undefined || task.status === status) &&
        (search === null || JSON.stringify(task).includes(search)),
    );
    return page(found, url, quirks, quirks.summaries?.tasks === true);
  }

  function solutionList(url: URL, taskId: string): Reply {
    return page((api.solutions[taskId] ?? []) as Item[], url, quirks, quirks.summaries?.solutions === true);
  }

  function detail(items: unknown[], id: string): Reply {
    const item = (items as Item[]).find((each) => String(each?.id) === id);
    if (item === undefined || quirks.missing?.includes(id))
      return { status: 404, body: { error: "not found" } };
    return { status: 200, body: item };
  }

  const api: ProductionApi = {
    url: "",
    requests,
    quirks,
    tasks: options.tasks,
    solutions: options.solutions ?? {},
    get mostAtOnce() {
      return state.mostAtOnce;
    },
    close: () => close(server),
    [Symbol.asyncDispose]: () => close(server),
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  api.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`;
  return api;
}

function page(items: Item[], url: URL, quirks: Quirks, summaries: boolean): Reply {
  const bare = quirks.listKey === "bare";
  const hint = bare ? "none" : (quirks.hint ?? "total");
  const asked = Number(url.searchParams.get("page_size") ?? "20");
  const size = Math.min(asked, quirks.pageCap ?? Number.POSITIVE_INFINITY);
  const last = Math.max(1, Math.ceil(items.length / size));
  const byCursor = ["next_cursor", "nextCursor", "cursor"].includes(hint);
  const number = byCursor ? cursorPage(url) : Number(url.searchParams.get("page") ?? "1");
  if (number > last && quirks.beyond === "404") return { status: 404, body: { detail: "Invalid page." } };
  const shown = quirks.ignoresPage ? 1 : quirks.beyond === "repeat" ? Math.min(number, last) : number;
  const entries = items.slice((shown - 1) * size, shown * size);
  const list = summaries ? entries.map(({ id, status }) => ({ id, status })) : entries;
  const listKey = quirks.listKey ?? "results";
  if (bare) return { status: 200, body: list };
  const more = number < last;
  return {
    status: 200,
    body: { [listKey]: list, ...hintOf(hint, { more, number, url, quirks, total: items.length }) },
  };
}

function cursorPage(url: URL): number {
  const cursor = url.searchParams.get("cursor");
  return cursor === null ? 1 : Number(Buffer.from(cursor, "base64url").toString().slice(1));
}

function hintOf(
  hint: Hint,
  at: { more: boolean; number: number; url: URL; quirks: Quirks; total: number },
): Item {
  const { more, number, url, quirks, total } = at;
  const next = new URL(url);
  next.searchParams.set("page", String(number + 1));
  if (quirks.foreignNext !== undefined) return { next: quirks.foreignNext };
  switch (hint) {
    case "total":
      return { total };
    case "next-url":
      return { next: more ? next.href : null };
    case "next-relative-url":
      return { next: more ? next.pathname + next.search : null };
    case "next-number":
      return { next: more ? number + 1 : 0 };
    case "next-boolean":
      return { next: more };
    case "hasNext":
    case "has_next":
      return { [hint]: more };
    case "next_cursor":
    case "nextCursor":
    case "cursor":
      return { [hint]: more ? Buffer.from(`p${number + 1}`).toString("base64url") : null };
    case "none":
      return {};
  }
}

function demand(quirks: Quirks, fields: Item): Reply | undefined {
  for (const { field, value, status, error } of quirks.demand ?? []) {
    const given = fields[field];
    if (given === undefined || (value !== undefined && given !== value)) {
      return { status: status ?? 428, body: error };
    }
  }
  return undefined;
}

function nextFault(quirks: Quirks, url: string, hits: Map<Fault, number>): Fault | undefined {
  for (const fault of quirks.faults ?? []) {
    const hit = hits.get(fault) ?? 0;
    if (hit >= (fault.times ?? 1) || !(fault.match ?? /./).test(url)) continue;
    hits.set(fault, hit + 1);
    return fault;
  }
  return undefined;
}

function applyFault(fault: Fault, response: ServerResponse): void {
  const json = { "content-type": "application/json" };
  switch (fault.kind) {
    case "status":
      send(response, { status: 500, body: { error: "told to" }, ...fault });
      break;
    case "truncated":
      response.writeHead(200, json).end('{"results": [{"id": "a", "prom');
      break;
    case "html":
      response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Sign in</title>");
      break;
    case "reset":
      response.destroy();
      break;
    case "stall":
      // Headers and half a body, then silence.
      response.writeHead(200, json).write('{"results": [');
      break;
    case "redirect":
      response.writeHead(307, { location: fault.location ?? "/" }).end();
      break;
  }
}

function send(response: ServerResponse, { status, body, headers = {} }: Reply): void {
  if (status === "cut") {
    response.destroy();
    return;
  }
  const bytes = typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(bytes);
}

async function close(server: ReturnType<typeof createServer>): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
