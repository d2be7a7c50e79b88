/** Characters of an answer that are held in memory; V8 has no string of more than 512 MiB. */
export const MOST_TEXT = 256 * 1024 * 1024;

/** Levels of nesting: more than any recording has, and fewer than recursion over the value can stand. */
export const MOST_DEPTH = 500;

/** An answer that would not fit into memory. */
export class AnswerTooLarge extends Error {}

/** An answer that nests more than `MOST_DEPTH` levels deep. */
export class TooDeep extends Error {}

/** @throws TooDeep */
export function assertNesting(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = endOfString(text, at);
    else if (unit === BRACE || unit === BRACKET) {
      depth += 1;
      if (depth > MOST_DEPTH) throw new TooDeep();
    } else if (unit === BRACE + 2 || unit === BRACKET + 2) depth -= 1;
  }
}

/** `JSON.parse` of what anybody may have written. @throws SyntaxError, for nesting beyond `MOST_DEPTH` too. */
export function parseShallow(text: string): unknown {
  try {
    assertNesting(text);
  } catch (error) {
    throw error instanceof TooDeep ? new SyntaxError(`nests more than ${MOST_DEPTH} levels deep`) : error;
  }
  return JSON.parse(text);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACKET = 0x5b;

/** Where the string of a JSON text that opens at `start` closes; the text's length when it does not. */
export function endOfString(text: string, start: number): number {
  let end = start;
  do {
    end = text.indexOf('"', end + 1);
    if (end === -1) return text.length;
  } while (isEscaped(text, end));
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1;
  return (at - first) % 2 === 1;
}
