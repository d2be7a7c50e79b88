import type { Finding } from "../scanner.ts";
import { marker } from "../scanning-redactor.ts";

/** A secret that stands in something stored. */
export interface Sighting {
  /** Where inside: `line 3, messages[0].content`, `app/.env at byte 12`. */
  place: string;
  kind: string;
  /** What stands before it, and its length; never the secret. */
  excerpt: string;
}

/** Characters of what stands before. */
const shownBefore = 30;

/** Sightings in a text, without places. */
export function sightingsIn(text: string, findings: readonly Finding[], place: string): Sighting[] {
  return findings.map((finding, index) => ({
    place,
    kind: finding.kind,
    excerpt: excerptOf(text, finding, findings[index - 1]?.end ?? 0),
  }));
}

/** @param from where the finding before it ends: what stands before is shown from there on at most. */
export function excerptOf(text: string, { start, end, kind }: Finding, from: number): string {
  const before = text.slice(Math.max(from, start - shownBefore), start);
  const line = before.slice(before.search(/[^\r\n]*$/));
  return `${line}${marker(kind)} (${end - start} characters)`;
}
