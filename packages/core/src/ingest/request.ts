import { isTracemillError, messageOf, TracemillError } from "../errors.ts";
import type { Clock, Random } from "../ports/clock.ts";
import { readBody } from "./body/read-body.ts";
import type { ArtifactStore } from "./body/spool.ts";
import { type Carried, createCarried, type DemandField, freshValue } from "./demand.ts";
import { createPace, type Pace } from "./pace.ts";
import { refusal, withoutToken } from "./refusal.ts";
import { backoffMs, LONGEST_WAIT_MS } from "./retry.ts";
import { withTimeout } from "./time-limit.ts";
import { type Answer, type Attempt, judge, type Setback } from "./verdict.ts";

export interface RequestOptions {
  /** Bearer token. Never part of an error, a log line or a record. */
  token: string;
  /** Where the token came from, for messages: the variable's name. */
  tokenName: string;
  /** Milliseconds for one request, body included; each MiB of a long body has the same time again. */
  timeoutMs: number;
  /** Least milliseconds between the starts of two requests. */
  sleepMs: number;
  /** Tries after the first one. */
  maxRetries: number;
  /** Most requests under way at once; fewer when the server says that it has too many. */
  mostAtOnce: number;
}

export interface RequestDeps {
  fetch: typeof fetch;
  clock: Clock;
  random: Random;
  /** Takes the long values of answers, which are else kept in them: see `readBody`. */
  artifacts?: ArtifactStore | undefined;
  /** Stops requests and waits. */
  signal?: AbortSignal | undefined;
  /** Told in words when a request is sent again after a second failure or later: one failure is nothing unusual. */
  onRetry?: ((text: string) => void) | undefined;
}

export interface SendOptions {
  /** Refusals that are an answer to the caller. */
  expected?: readonly number[];
  /** Makes the request a POST. */
  body?: Record<string, unknown>;
  write?: WriteOptions;
}

/** What a write has beside its fields. */
export interface WriteOptions {
  /** Sent as `Idempotency-Key` with every attempt. Default: a fresh one. */
  key?: string;
  /** Makes the write a `multipart/form-data` one: the fields go as JSON in the part `form.field`, the files after it. */
  form?: { field: string; files: readonly UploadFile[] };
  /** Asked before each repeat, since the attempt before it may have arrived: the answer to give instead. */
  beforeRepeat?(): Promise<Record<string, unknown> | undefined>;
}

export interface UploadFile {
  /** Name of its part. */
  field: string;
  name: string;
  /** Read as it is sent, anew for each attempt. */
  blob: Blob;
}

export interface Requester {
  /**
   * Sends one request until it is answered with whole JSON.
   * @returns also refusals whose status is in `expected`.
   * @throws TracemillError `unauthorized` (401, 403), `source-unavailable` (retries spent), `source-protocol`
   *   (any other refusal, or answers that are not JSON), `cancelled`.
   */
  send(url: URL, options?: SendOptions): Promise<Answer>;
  /** HTTP requests so far, and how many of them were repeats. */
  readonly stats: { requests: number; retries: number };
}

/** One request from its first attempt to its answer. */
interface Exchange {
  /** For messages: method and path. */
  what: string;
  url: URL;
  body: Record<string, unknown> | undefined;
  write: WriteOptions;
  /** Same for every attempt, so that a write that arrived twice can be told. */
  key: string;
  /** Nonce and run id of the last attempt. */
  sent: ReadonlyMap<DemandField, string>;
  tries: number;
  demands: number;
  redirects: number;
}

/** How often one request may be sent again because the API wants another nonce or run id. */
const MOST_DEMANDS = 8;
const MOST_REDIRECTS = 5;

/** What all requests of one client share. */
interface Line {
  options: RequestOptions;
  deps: RequestDeps;
  pace: Pace;
  carried: Carried;
  stats: { requests: number; retries: number };
}

/** Makes the one place through which a client talks: token, pace, timeout, retries, nonce and run id. */
export function createRequester(options: RequestOptions, deps: RequestDeps): Requester {
  assertToken(options);
  const pace = createPace(options, deps.clock);
  const line: Line = {
    options,
    deps,
    pace,
    carried: createCarried(deps.random),
    stats: { requests: 0, retries: 0 },
  };
  return {
    stats: line.stats,
    send: (url, sendOptions) => cancellable(() => send(line, url, sendOptions), deps.signal),
  };
}

async function send(
  line: Line,
  url: URL,
  { expected = [], body, write = {} }: SendOptions = {},
): Promise<Answer> {
  const what = `${body === undefined ? "GET" : "POST"} ${url.pathname}`;
  const key = write.key ?? freshValue(line.deps.random);
  const sent = new Map();
  const exchange: Exchange = { what, url, body, write, key, sent, tries: 0, demands: 0, redirects: 0 };
  for (;;) {
    exchange.sent = line.carried.fields();
    const outcome = await attempt(line, exchange);
    const verdict = judge(outcome, expected);
    if (verdict.kind === "answer") return verdict.answer;
    await prepareNext(line, exchange, verdict);
    const done = verdict.kind === "again" ? await write.beforeRepeat?.() : undefined;
    if (done !== undefined) return { status: 200, body: done };
  }
}

/**
 * One HTTP exchange, or the error that came instead; throws when the client is stopped, and where another try would
 * end the same.
 */
async function attempt(line: Line, exchange: Exchange): Promise<Attempt | Error> {
  const turn = await line.pace.turn(line.deps.signal);
  line.stats.requests += 1;
  let outcome: Attempt | Error | undefined;
  try {
    outcome = await exchangeOnce(line, exchange);
  } catch (error) {
    line.deps.signal?.throwIfAborted();
    if (isTracemillError(error)) throw error;
    outcome = error instanceof Error ? error : new Error(messageOf(error));
  } finally {
    turn.end(outcome);
  }
  return outcome;
}

async function exchangeOnce(line: Line, exchange: Exchange): Promise<Attempt> {
  const { fetch, signal, artifacts } = line.deps;
  const [url, init] = toRequest(exchange, line.options.token);
  return withTimeout(timeoutOf(exchange, line), signal, async (limit) => {
    const response = await fetch(url, { ...init, signal: limit.signal, redirect: "manual" });
    return {
      status: response.status,
      text: await readBody(response, exchange.what, { artifacts, onProgress: limit.renew }),
      retryAfter: response.headers.get("retry-after"),
      location: response.headers.get("location"),
    };
  });
}

/** Sets an exchange up for its next attempt. @throws TracemillError when there is none to make. */
async function prepareNext(line: Line, exchange: Exchange, setback: Setback): Promise<void> {
  const { what } = exchange;
  switch (setback.kind) {
    case "refused":
      exchange.demands += 1;
      if (exchange.demands <= MOST_DEMANDS && line.carried.take(setback.body, exchange.sent)) return;
      throw refusal(what, setback.status, setback.body, line.options);
    case "redirect":
      exchange.redirects += 1;
      exchange.url = followed(exchange.url, setback.location, what);
      if (exchange.redirects > MOST_REDIRECTS || exchange.body !== undefined) throw redirectLoop(exchange);
      return;
    case "again":
      exchange.tries += 1;
      if (exchange.tries > line.options.maxRetries) throw spent(exchange, setback.reason, line.options);
      if (exchange.tries > 1) sayRetry(line, exchange, setback.reason);
      await waitToRetry(line, exchange, setback.retryAfter(line.deps.clock.now()));
      return;
  }
}

function sayRetry({ options, deps }: Line, { what, tries }: Exchange, reason: string): void {
  const text = `${what} failed ${tries} times (${reason}); trying again, up to ${options.maxRetries + 1} times`;
  deps.onRetry?.(withoutToken(text, options.token));
}

async function waitToRetry(line: Line, { what, tries }: Exchange, asked: number | undefined): Promise<void> {
  const { clock, random, signal } = line.deps;
  if (asked !== undefined && asked > LONGEST_WAIT_MS) {
    const minutes = Math.ceil(asked / 60_000);
    throw new TracemillError(
      "source-unavailable",
      `${what}: the API asks to wait ${minutes} minutes (Retry-After); run the same command again then`,
      { retryable: true },
    );
  }
  line.stats.retries += 1;
  if (asked !== undefined) line.pace.holdFor(asked);
  await clock.sleep(asked ?? backoffMs(tries, random), signal);
}

function toRequest({ url: target, body, write, key, sent }: Exchange, token: string): [URL, RequestInit] {
  const url = new URL(target);
  const headers: Record<string, string> = { accept: "application/json", authorization: `Bearer ${token}` };
  if (body === undefined) {
    for (const [field, value] of sent) url.searchParams.set(field, value);
    return [url, { headers }];
  }
  headers["idempotency-key"] = key;
  if (write.form !== undefined) {
    return [url, { method: "POST", headers, body: formOf(write.form, body, Object.fromEntries(sent)) }];
  }
  headers["content-type"] = "application/json";
  return [url, { method: "POST", headers, body: JSON.stringify({ ...body, ...Object.fromEntries(sent) }) }];
}

/** A file may take as long as the slowest line that is worth waiting for. */
const SLOWEST_UPLOAD_BYTES_PER_MS = 128;

function timeoutOf({ write }: Exchange, { options }: Line): number {
  const bytes = (write.form?.files ?? []).reduce((sum, { blob }) => sum + blob.size, 0);
  return options.timeoutMs + Math.ceil(bytes / SLOWEST_UPLOAD_BYTES_PER_MS);
}

function formOf(
  { field, files }: NonNullable<WriteOptions["form"]>,
  body: Record<string, unknown>,
  demanded: Record<string, string>,
): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(demanded)) form.set(name, value);
  form.set(field, new Blob([JSON.stringify(body)], { type: "application/json" }), `${field}.json`);
  for (const file of files) form.append(file.field, file.blob, file.name);
  return form;
}

function spent({ what, tries }: Exchange, reason: string, options: RequestOptions): TracemillError {
  const message = `${what} failed ${tries} times, at last: ${reason}. Check the base URL and the API, then run the same command again`;
  return new TracemillError("source-unavailable", withoutToken(message, options.token), { retryable: true });
}

function followed(from: URL, location: string, what: string): URL {
  const to = new URL(location, from);
  if (to.origin === from.origin) return to;
  throw new TracemillError(
    "source-protocol",
    `${what} redirects to ${to.origin}, which must not get the token; if that is the API, make it the base URL`,
  );
}

function redirectLoop({ what, url }: Exchange): TracemillError {
  return new TracemillError(
    "source-protocol",
    `${what} redirects to ${url.pathname} and does not end; correct the base URL`,
  );
}

function assertToken({ token, tokenName }: RequestOptions): void {
  // A header with other characters makes fetch throw an error that quotes the token.
  if (/^[\x21-\x7e]+$/.test(token)) return;
  throw new TracemillError(
    "invalid-input",
    `${tokenName} is ${token === "" ? "empty" : "no bearer token: it holds spaces, line ends or non-ASCII characters"}; set it again`,
  );
}

async function cancellable<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw new TracemillError("cancelled", "stopped before the end; run the same command again", {
      cause: error,
    });
  }
}
