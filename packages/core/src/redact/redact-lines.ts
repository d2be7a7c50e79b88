import { parsedJson } from "./parsed-json.ts";
import type { Redactor } from "./redactor.ts";

type LineRedactor = Pick<Redactor, "text" | "json">;

/**
 * Lines without secrets: those of a JSON object or array by their fields, and so still JSON; others as text. What lies
 * over several lines of plain text, such as a private key, is found by `redactBytes`, not here.
 */
export async function* redactLines(
  lines: AsyncIterable<string>,
  redactor: LineRedactor,
): AsyncGenerator<string> {
  for await (const line of lines) yield redactedLine(line, redactor);
}

/** One line; the same string when there is nothing to take out. */
export function redactedLine(line: string, redactor: LineRedactor): string {
  const parsed = parsedJson(line);
  if (parsed === undefined) return redactor.text(line);
  const redacted = redactor.json(parsed.value);
  return Object.is(redacted, parsed.value) ? line : JSON.stringify(redacted);
}
