import pMap from "p-map";
import { isTracemillError } from "../errors.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import { findStored, readJsonLines } from "../stored-json.ts";
import { parseAs } from "../validation.ts";
import { CapturedSession, joinSessions } from "./captured-session.ts";
import { HttpExchange } from "./http-exchange.ts";

/** Objects that are read at once. */
const concurrency = 16;

/** The sessions below `prefix`, as all the processes that wrote to them know them, those that began first first. */
export async function storedSessions(
  objects: Pick<ObjectStore, "get" | "list">,
  prefix: string,
): Promise<CapturedSession[]> {
  const keys = await keysBelow(objects, prefix, /\/session-[^/]+\.json$/);
  const parts = await pMap(keys, (key) => findStored(objects, key, CapturedSession), { concurrency });
  const found = new Map<string, CapturedSession>();
  for (const part of parts) {
    if (part !== undefined) found.set(part.sessionId, joinSessions(found.get(part.sessionId), part));
  }
  return [...found.values()].toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
}

export async function* storedExchanges(
  objects: Pick<ObjectStore, "get" | "list">,
  sessionId: string,
): AsyncGenerator<HttpExchange> {
  const keys = await keysBelow(objects, objectKeys.captures(sessionId), /\.jsonl\.zst$/);
  const seen = new Set<string>();
  for (const key of keys.toSorted((a, b) => compareTexts(orderOf(a), orderOf(b)))) {
    for await (const value of linesStillThere(objects, key)) {
      const exchange = parseAs(HttpExchange, value, key, "storage-corrupt");
      if (!seen.has(exchange.id)) yield exchange;
      seen.add(exchange.id);
    }
  }
}

async function keysBelow(
  objects: Pick<ObjectStore, "list">,
  prefix: string,
  wanted: RegExp,
): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of objects.list(prefix)) if (wanted.test(key)) keys.push(key);
  return keys;
}

/** A part that was put into the session's object after it was listed is gone. */
async function* linesStillThere(objects: Pick<ObjectStore, "get">, key: string): AsyncGenerator<unknown> {
  try {
    yield* readJsonLines(objects, key);
  } catch (error) {
    if (!isTracemillError(error, "not-found")) throw error;
  }
}

/** The session's own object first, then what came later, by writer and part: writers ascend with time. */
function orderOf(key: string): string {
  const [, writerAndPart = ""] = /\/(?:exchanges|part)-([^/]+)\.jsonl\.zst$/.exec(key) ?? [];
  return writerAndPart;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
