import { createParser } from "eventsource-parser";

/**
 * The text of a stream of server-sent events whose data were `events`, as other recorders keep it: each event's JSON,
 * under the name that its `type` gives. `eventsOfText` gives the same events back, whatever they hold.
 */
export function textOfEvents(events: readonly unknown[]): string {
  return events.map(textOfEvent).join("");
}

/** Each event's data: JSON parsed, other text as it is. */
export function eventsOfText(text: string): unknown[] {
  const events: unknown[] = [];
  const parser = createParser({ onEvent: ({ data }) => events.push(jsonOr(data)) });
  parser.feed(text);
  return events;
}

function textOfEvent(event: unknown): string {
  const data = dataOf(event).split("\n");
  return `${nameLine(event)}${data.map((line) => `data: ${line}\n`).join("")}\n`;
}

/** Providers name an event by its data's `type`; Chat Completions names none. */
function nameLine(event: unknown): string {
  if (typeof event !== "object" || event === null || !("type" in event)) return "";
  const { type } = event;
  return typeof type === "string" && /^[\w.-]+$/.test(type) ? `event: ${type}\n` : "";
}

/** Text that is no JSON (`[DONE]`) goes as it came; text that would read as something else goes as a JSON string. */
function dataOf(event: unknown): string {
  if (typeof event !== "string") return JSON.stringify(event) ?? "null";
  const survives = event !== "" && !event.includes("\r") && event.isWellFormed() && jsonOr(event) === event;
  return survives ? event : JSON.stringify(event);
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
