/** What a function URL hands over, as far as it is used. */
export interface HttpEvent {
  rawPath: string;
  queryStringParameters?: Record<string, string | undefined> | undefined;
  requestContext: { http: { method: string } };
}

export interface HttpAnswer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

/** A refusal that the caller can act on. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly statusCode: number;
  readonly headers: Record<string, string>;

  constructor(statusCode: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.statusCode = statusCode;
    this.headers = headers;
  }
}

/** How long an answer may be kept by the caller alone: nothing here is for shared caches. */
export const caching = {
  /** Changes while a run is under way. */
  fresh: "private, no-cache",
  /** Never changes again. */
  forever: "private, max-age=31536000, immutable",
} as const;

export function jsonAnswer(
  statusCode: number,
  body: unknown,
  headers: Record<string, string> = {},
): HttpAnswer {
  return {
    statusCode,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "cache-control": caching.fresh,
      "x-content-type-options": "nosniff",
      ...headers,
    },
    body: JSON.stringify(body),
  };
}

const mostAtOnce = 1_000;

export interface Page {
  limit: number;
  cursor: string | undefined;
}

/** `?limit=` (1 to 1,000; default 100) and `?cursor=`. @throws HttpError 400. */
export function pageOf({ queryStringParameters: query }: HttpEvent): Page {
  const limit = Number(query?.limit ?? 100);
  if (!Number.isInteger(limit) || limit < 1 || limit > mostAtOnce) {
    throw new HttpError(400, `\`limit\` wants a whole number from 1 to ${mostAtOnce}`);
  }
  const cursor = query?.cursor;
  if (cursor !== undefined && !/^[\w./-]{1,512}$/.test(cursor)) {
    throw new HttpError(400, "`cursor` wants what an earlier answer gave as `next`");
  }
  return { limit, cursor };
}

/**
 * The first `limit` of `items`, and where the next page begins, when there is one.
 * @param keyOf what to give as `cursor` for the page after this item.
 */
export async function takePage<T>(
  items: AsyncIterable<T>,
  limit: number,
  keyOf: (item: T) => string,
): Promise<{ items: T[]; next?: string }> {
  const taken: T[] = [];
  for await (const item of items) {
    const last = taken.at(-1);
    if (taken.length === limit && last !== undefined) return { items: taken, next: keyOf(last) };
    taken.push(item);
  }
  return { items: taken };
}
