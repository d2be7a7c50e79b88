import { TracemillError } from "../errors.ts";
import { isObject } from "./json.ts";

/** Characters of a server's own words that a message quotes. */
const QUOTED = 200;

/** `: <the server's words>`, or nothing when it gave none that can be told from the rest. */
export function describeBody(body: unknown): string {
  const words = wordsOf(body, 3);
  const said = words === undefined ? "" : quoted(words, QUOTED);
  return said === "" ? "" : `: ${said}`;
}

/**
 * The beginning of a text, for a message: at most so many characters, on one line. No run of printable ASCII is cut, so
 * that a key in it is there as a whole, for those who take keys out, or not at all.
 */
export function quoted(text: string, most: number): string {
  const line = text.trim().replaceAll(/\s+/g, " ");
  const start = line.slice(0, most);
  return (/^[!-~]/.test(line.slice(most)) ? start.replace(/[!-~]+$/, "") : start).trimEnd();
}

/** The text with every occurrence of the token blanked. */
export function withoutToken(text: string, token: string): string {
  return text.replaceAll(token, "***").replaceAll(encodeURIComponent(token), "***");
}

/** The error for an answer that no retry will mend. */
export function refusal(
  what: string,
  status: number,
  body: unknown,
  { token, tokenName }: { token: string; tokenName: string },
): TracemillError {
  const said = withoutToken(`${what} answered HTTP ${status}${describeBody(body)}`, token);
  if (status === 401) {
    return new TracemillError("unauthorized", `${said}. The API does not accept the token in ${tokenName}`);
  }
  if (status === 403) {
    return new TracemillError(
      "unauthorized",
      `${said}. The token in ${tokenName} may not read this; ask for one that may`,
      { context: { status } },
    );
  }
  const hint = status === 404 ? ". Check that the base URL ends before /tasks" : "";
  return new TracemillError("source-protocol", said + hint, { context: { status } });
}

function wordsOf(body: unknown, depth: number): string | undefined {
  if (typeof body === "string") return body.trimStart().startsWith("<") ? undefined : body || undefined;
  if (depth === 0) return undefined;
  if (Array.isArray(body)) return wordsOf(body[0], depth - 1);
  if (!isObject(body)) return undefined;
  for (const key of ["message", "detail", "error", "errors", "title", "msg", "code"]) {
    const words = wordsOf(body[key], depth - 1);
    if (words !== undefined) return words;
  }
  return undefined;
}
