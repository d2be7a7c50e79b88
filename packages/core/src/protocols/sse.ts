import { createParser } from "eventsource-parser";
import {
  maxEventBytes,
  parsedJson,
  type StreamEvent,
  type StreamParser,
  streamError,
} from "./stream-event.ts";

/**
 * Server-sent events (html.spec.whatwg.org, chapter 9.2): any pieces, LF, CR or CRLF, a byte order mark, comments,
 * events of several `data` lines. Memory holds one event, of at most `limit` characters.
 */
export function sseParser(limit = maxEventBytes): StreamParser {
  const decoder = new TextDecoder();
  let events: StreamEvent[] = [];
  let isOver = false;
  const parser = createParser({
    maxBufferSize: limit,
    onEvent: ({ event, data }) => {
      if (data.length > limit) isOver = true;
      events.push({ ...(event === undefined ? {} : { event }), data: parsedJson(data) });
    },
    onError: ({ type }) => {
      if (type === "max-buffer-size-exceeded") isOver = true;
    },
  });
  const take = (text: string): StreamEvent[] => {
    if (!isOver) parser.feed(text);
    if (isOver) throw streamError(`has an event of more than ${limit} characters`);
    const taken = events;
    events = [];
    return taken;
  };
  return {
    push: (chunk) => take(decoder.decode(chunk, { stream: true })),
    // Some servers leave out the empty line after the last event.
    end: () => take(`${decoder.decode()}\n\n`),
  };
}
