import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf } from "@tracemill/core/errors.ts";
import { type Catalog, type CatalogEntry, contentCatalog } from "./catalog.ts";
import { readContent } from "./content.ts";
import { rolloutCatalog } from "./rollouts.ts";

export interface DemoApi {
  url: string;
  close(): Promise<void>;
}

/** The API gives at most this many entries a page, whatever is asked. */
const largestPage = 12;
/** Which requests (from 1, those that lack the nonce not counted) go wrong, and how. */
const faults: Readonly<Record<number, Fault>> = { 4: "busy", 9: "down", 14: "cut" };
type Fault = "busy" | "down" | "cut";

interface Reply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
  /** Only the first half of the body is sent. */
  cut?: boolean;
}

/**
 * Serves the demo's production API on this machine: its own content, or with `rollouts` a folder of recorded
 * rollouts. It behaves as such APIs do: it wants a bearer token and a nonce, caps its pages, lists summaries,
 * repeats a task on the next page, and now and then is busy, down, or cut off in the middle of an answer.
 */
export async function startDemoApi({
  token,
  rollouts,
  port = 0,
}: {
  token: string;
  rollouts?: string;
  /** Default: any that is free. */
  port?: number;
}): Promise<DemoApi> {
  const catalog =
    rollouts === undefined ? contentCatalog(await readContent()) : await rolloutCatalog(rollouts);
  const nonce = randomUUID();
  let reads = 0;
  const answer = async (request: IncomingMessage): Promise<Reply> => {
    const url = new URL(request.url ?? "/", `http://${request.headers.host ?? "127.0.0.1"}`);
    const refusal = refuse(request, url, { token, nonce });
    if (refusal !== undefined) return refusal;
    reads += 1;
    return withFault(faults[reads], await route(url, catalog));
  };
  const server = createServer((request, response) => {
    answer(request)
      .catch(
        (error: unknown): Reply => ({
          status: 500,
          body: { error: { code: "internal", message: messageOf(error) } },
        }),
      )
      .then(
        (reply) => send(response, reply),
        () => response.destroy(),
      );
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function refuse(
  request: IncomingMessage,
  url: URL,
  { token, nonce }: { token: string; nonce: string },
): Reply | undefined {
  if (!isSame(request.headers.authorization ?? "", `Bearer ${token}`))
    return failure(401, "unauthorized", "no valid token");
  if (request.method !== "GET") return failure(405, "read_only", "this API can only be read");
  if (url.searchParams.get("nonce") === nonce) return undefined;
  return { status: 428, body: { error: { code: "nonce_required", message: "send this nonce", nonce } } };
}

/** Compares in a time that does not depend on where the two differ. */
function isSame(given: string, wanted: string): boolean {
  const [a, b] = [given, wanted].map((text) => createHash("sha256").update(text).digest()) as [
    Buffer,
    Buffer,
  ];
  return timingSafeEqual(a, b);
}

function withFault(fault: Fault | undefined, reply: Reply): Reply {
  if (fault === "busy")
    return { ...failure(429, "busy", "too many requests"), headers: { "retry-after": "0.2" } };
  if (fault === "down") return failure(503, "unavailable", "try again");
  return fault === "cut" ? { ...reply, cut: true } : reply;
}

async function route(url: URL, catalog: Catalog): Promise<Reply> {
  const [collection, encoded, part, ...more] = url.pathname.split("/").slice(1);
  const id = encoded === undefined ? undefined : decodeURIComponent(encoded);
  if (more.length > 0) return failure(404, "not_found", "no such path");
  if (collection === "tasks" && id === undefined)
    return { status: 200, body: taskPage(url, catalog.entries) };
  if (collection === "tasks" && id !== undefined && part === undefined) return found(await catalog.task(id));
  if (collection === "tasks" && id !== undefined && part === "solutions") {
    const solutions = await catalog.solutions(id);
    return found(
      solutions && { solutions: pageOf(solutions, url).items, has_next: pageOf(solutions, url).hasNext },
    );
  }
  if (collection === "solutions" && id !== undefined && part === undefined)
    return found(await findSolution(id, catalog));
  return failure(404, "not_found", "no such path");
}

function found(body: unknown): Reply {
  return body === undefined ? failure(404, "not_found", "no such id") : { status: 200, body };
}

function failure(status: number, code: string, message: string): Reply {
  return { status, body: { error: { code, message } } };
}

/** A page of summaries. The second one begins with the first one's last task, as when a list moves while it is read. */
function taskPage(url: URL, entries: readonly CatalogEntry[]): unknown {
  const status = url.searchParams.get("status");
  const search = url.searchParams.get("search")?.toLowerCase() ?? "";
  const matching = entries.filter(
    (entry) =>
      (status === null || entry.status === status) &&
      `${entry.id} ${entry.title ?? ""}`.toLowerCase().includes(search),
  );
  const { items, hasNext, page, size } = pageOf(matching, url);
  const repeated = page === 2 ? matching.slice(size - 1, size) : [];
  return { results: [...repeated, ...items], next: hasNext ? nextUrl(url, page + 1) : null };
}

function nextUrl(url: URL, page: number): string {
  const next = new URL(url);
  next.searchParams.delete("nonce");
  next.searchParams.set("page", String(page));
  return next.href;
}

function pageOf<T>(
  all: readonly T[],
  url: URL,
): { items: T[]; hasNext: boolean; page: number; size: number } {
  const page = wholeNumber(url.searchParams.get("page"), 1);
  const size = Math.min(wholeNumber(url.searchParams.get("page_size"), largestPage), largestPage);
  return { items: all.slice((page - 1) * size, page * size), hasNext: page * size < all.length, page, size };
}

function wholeNumber(text: string | null, otherwise: number): number {
  return text !== null && /^[1-9]\d{0,6}$/.test(text) ? Number(text) : otherwise;
}

async function findSolution(id: string, catalog: Catalog): Promise<unknown> {
  for (const entry of catalog.entries) {
    const solution = (await catalog.solutions(entry.id))?.find((candidate) => candidate.id === id);
    if (solution !== undefined) return solution;
  }
  return undefined;
}

function send(response: ServerResponse, { status, body, headers = {}, cut = false }: Reply): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(cut ? text.slice(0, text.length / 2) : text);
}
