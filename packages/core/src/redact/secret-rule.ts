import { looksRandom } from "./randomness.ts";

/**
 * How one form of secret is found: by a literal that stands at its beginning (or right behind what stands before it),
 * and a pattern that is tried there and nowhere else. So a text is read once, whatever the number of rules, and every
 * repetition in a pattern has an upper bound: the time is linear in the text's length for any input.
 */
export interface SecretRule {
  /** As reports and `[REDACTED:kind]` name it. */
  readonly kind: string;
  /** One of these stands where the pattern begins. */
  readonly anchors: readonly string[];
  /** The anchors stand for their other cases too (`TOKEN`, `Token`). */
  readonly foldCase?: boolean;
  /**
   * Sticky. What goes is its group `value`, which is at the match's end, or else all of the match; a group `before`
   * inside a lookbehind goes as well.
   */
  readonly pattern: RegExp;
  /** Whether that is one: no placeholder, random enough, a checksum. */
  readonly accepts?: (value: string) => boolean;
  /**
   * Found by what stands beside it (`password=`), not by its own form. Such rules yield to those that know the form,
   * and are not tried on binary data.
   */
  readonly byPlace?: boolean;
}

/**
 * Where a token may begin: not within a word. What an escape sequence ends with is no word: the `n` of a JSON `\n`,
 * the `D` of a URL's `%3D`, the `m` of a terminal's colour.
 */
export const tokenStart = String.raw`(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]|%[0-9A-Fa-f]{2}|\[[0-9;]{0,12}m|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}))`;

interface PrefixedForm {
  kind: string;
  prefixes: readonly string[];
  /** What follows the prefix: the inside of a character class. */
  body: string;
  /** Number of characters that follow: exactly, or at least and at most. */
  length: number | readonly [number, number];
  accepts?: (value: string) => boolean;
}

/** A token that its issuer has given a prefix, so that it can be told. */
export function prefixed({ kind, prefixes, body, length, accepts }: PrefixedForm): SecretRule {
  const [least, most] = typeof length === "number" ? [length, length] : length;
  const end = least === most ? `(?![${body}])` : "";
  const start = prefixes.map((prefix) => RegExp.escape(prefix)).join("|");
  return {
    kind,
    anchors: prefixes,
    pattern: new RegExp(`${tokenStart}(?:${start})[${body}]{${least},${most}}${end}`, "y"),
    accepts: accepts ?? ((value) => looksRandom(value.slice(prefixOf(value, prefixes).length))),
  };
}

function prefixOf(value: string, prefixes: readonly string[]): string {
  return prefixes.find((prefix) => value.startsWith(prefix)) ?? "";
}
