import {
  type CloudWatchLogsClient,
  type FilteredLogEvent,
  type FilterLogEventsCommandInput,
  GetLogEventsCommand,
  paginateFilterLogEvents,
} from "@aws-sdk/client-cloudwatch-logs";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import { isAwsError } from "../errors.ts";
import { callService, pagesOf } from "./service-call.ts";

export interface LogLine {
  /** Milliseconds since the epoch. */
  at: number;
  stream: string;
  message: string;
}

export interface LogSearch {
  group: string;
  /** At most 100 streams; all of the group when absent. */
  streams?: readonly string[];
  /** Only lines that hold this text. */
  containing?: string;
  /** From this time on, in milliseconds since the epoch. */
  since: number;
}

/** Log groups of CloudWatch. */
export interface Logs {
  /**
   * Lines of several streams, merged by time.
   * @throws TracemillError `not-found` when there is no such group, `unauthorized`, `storage-failed`.
   */
  read(search: LogSearch): AsyncIterable<LogLine>;
  /**
   * The same, and then whatever comes in, each line once, until the signal is aborted.
   * @param options.streams called before each look, so that new streams are followed too.
   */
  follow(
    search: Omit<LogSearch, "streams"> & { streams?: () => Promise<readonly string[]> },
    options: { signal: AbortSignal },
  ): AsyncIterable<LogLine>;
  /** The last lines of one stream, oldest first; none when there is no such stream. */
  tail(group: string, stream: string, lines: number): Promise<LogLine[]>;
}

const notFound = "ResourceNotFoundException";

/** CloudWatch's limit for the streams of one request. */
export const maxStreams = 100;

/** FilterLogEvents is allowed a few times a second in an account. */
const pollMs = 2_000;

/**
 * How far back each look of `follow` reads again: lines show up some seconds after their time, and not in its
 * order.
 */
const lateMs = 30_000;

export function cloudwatchLogs(client: CloudWatchLogsClient, { clock }: { clock: Clock }): Logs {
  const read = (search: LogSearch): AsyncGenerator<LogLine> => linesOf(events(search, client));
  return {
    read,
    follow: (search, options) => follow(search, options, { client, clock }),
    tail: (group, stream, lines) => tail(group, stream, lines, client),
  };
}

async function* linesOf(found: AsyncIterable<FilteredLogEvent>): AsyncGenerator<LogLine> {
  for await (const event of found) yield lineOf(event);
}

function lineOf({ timestamp = 0, logStreamName = "", message = "" }: FilteredLogEvent): LogLine {
  return { at: timestamp, stream: logStreamName, message: message.replace(/\n$/, "") };
}

async function* events(search: LogSearch, client: CloudWatchLogsClient): AsyncGenerator<FilteredLogEvent> {
  const { group, streams } = search;
  if (streams?.length === 0) return;
  if ((streams?.length ?? 0) > maxStreams) {
    throw new TracemillError(
      "invalid-input",
      `${group}: at most ${maxStreams} log streams can be read at once`,
    );
  }
  try {
    yield* pages(search, client);
  } catch (error) {
    if (!isAwsError(error, notFound)) throw error;
    if (streams === undefined || error.message.includes("log group")) {
      throw new TracemillError("not-found", `${group}: no such log group`, { cause: error });
    }
    // One of the streams is not there yet, and CloudWatch does not say which: its container is just starting.
    const middle = Math.ceil(streams.length / 2);
    if (streams.length === 1) return;
    const half = (part: readonly string[]) => events({ ...search, streams: part }, client);
    yield* merged(half(streams.slice(0, middle)), half(streams.slice(middle)));
  }
}

async function* pages(
  { group, streams, containing, since }: LogSearch,
  client: CloudWatchLogsClient,
): AsyncGenerator<FilteredLogEvent> {
  const request: FilterLogEventsCommandInput = {
    logGroupName: group,
    startTime: Math.max(0, since),
    // AWS has taken it for granted since 2019; emulators still ask.
    interleaved: true,
    ...(streams === undefined ? {} : { logStreamNames: [...streams] }),
    ...(containing === undefined ? {} : { filterPattern: `"${containing.replaceAll('"', "")}"` }),
  };
  const call = { doing: `reading ${group}`, action: "logs:FilterLogEvents", expects: [notFound] };
  for await (const page of pagesOf(call, paginateFilterLogEvents({ client }, request)))
    yield* page.events ?? [];
}

/** Two lists that are in the order of time, as one that is. */
async function* merged(
  left: AsyncGenerator<FilteredLogEvent>,
  right: AsyncGenerator<FilteredLogEvent>,
): AsyncGenerator<FilteredLogEvent> {
  let [a, b] = await Promise.all([left.next(), right.next()]);
  while (a.done !== true || b.done !== true) {
    const takeLeft =
      b.done === true || (a.done !== true && (a.value.timestamp ?? 0) <= (b.value.timestamp ?? 0));
    const value = takeLeft ? a.value : b.value;
    if (value !== undefined) yield value as FilteredLogEvent;
    if (takeLeft) a = await left.next();
    else b = await right.next();
  }
}

async function* follow(
  search: Parameters<Logs["follow"]>[0],
  { signal }: { signal: AbortSignal },
  { client, clock }: { client: CloudWatchLogsClient; clock: Clock },
): AsyncGenerator<LogLine> {
  const { streams: currentStreams, ...rest } = search;
  /** Ids of the lines that a later look would find again, by their time. */
  const seen = new Map<string, number>();
  let since = search.since;
  while (!signal.aborted) {
    const streams = await currentStreams?.();
    let newest = since;
    const look = {
      ...rest,
      since,
      ...(streams === undefined ? {} : { streams: streams.slice(0, maxStreams) }),
    };
    for await (const event of events(look, client)) {
      const line = lineOf(event);
      const id = event.eventId ?? `${line.stream} ${line.at} ${line.message}`;
      newest = Math.max(newest, line.at);
      if (seen.has(id)) continue;
      seen.set(id, line.at);
      yield line;
    }
    since = Math.max(search.since, newest - lateMs);
    for (const [id, at] of seen) if (at < since) seen.delete(id);
    await clock.sleep(pollMs, signal).catch(() => undefined);
  }
}

async function tail(
  group: string,
  stream: string,
  lines: number,
  client: CloudWatchLogsClient,
): Promise<LogLine[]> {
  const command = new GetLogEventsCommand({
    logGroupName: group,
    logStreamName: stream,
    limit: Math.min(lines, 10_000),
    startFromHead: false,
  });
  try {
    const call = { doing: `reading ${group} ${stream}`, action: "logs:GetLogEvents", expects: [notFound] };
    const answer = await callService(call, () => client.send(command));
    return (answer.events ?? []).map((event) => lineOf({ ...event, logStreamName: stream }));
  } catch (error) {
    if (isAwsError(error, notFound)) return [];
    throw error;
  }
}
