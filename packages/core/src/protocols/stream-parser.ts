import { eventStreamParser } from "./event-stream.ts";
import { sseParser } from "./sse.ts";
import type { StreamParser } from "./stream-event.ts";

/** The parser of a body with this content type; `undefined` for what is no stream of events. */
export function streamParserOf(contentType: string | undefined, limit?: number): StreamParser | undefined {
  const type = contentType?.split(";")[0]?.trim().toLowerCase();
  if (type === "text/event-stream") return sseParser(limit);
  if (type === "application/vnd.amazon.eventstream") return eventStreamParser(limit);
  return undefined;
}
