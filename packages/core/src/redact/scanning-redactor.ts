import type { Redactor } from "./redactor.ts";
import type { Finding } from "./scanner.ts";

/** A redactor that also says where something stands, for data that is no text in memory. */
export interface ScanningRedactor extends Redactor {
  /**
   * Where secrets stand, in ascending order and without overlaps; nothing is counted.
   * @param binary only secrets that are known, or have a form of their own: in binary data a `password=` says little.
   */
  find(text: string, binary?: boolean): readonly Finding[];
  /** Counts one as taken out. */
  count(kind: string): void;
}

/** What stands where a secret stood. */
export function marker(kind: string): string {
  return `[REDACTED:${kind}]`;
}

/** The text with marks in place of what is found in it, each counted; the same string when there is nothing. */
export function withMarks(text: string, redactor: Pick<ScanningRedactor, "find" | "count">): string {
  const findings = redactor.find(text);
  if (findings.length === 0) return text;
  const parts: string[] = [];
  let from = 0;
  for (const { start, end, kind } of findings) {
    parts.push(text.slice(from, start), marker(kind));
    redactor.count(kind);
    from = end;
  }
  parts.push(text.slice(from));
  return parts.join("");
}
