import { marker, type ScanningRedactor } from "./scanning-redactor.ts";

type Finder = Pick<ScanningRedactor, "find" | "count">;

/** One string in a list of events, by what it is a piece of. */
interface Piece {
  owner: Record<string, unknown> | unknown[];
  key: string | number;
  text: string;
}

/** Fields that tell streams apart which are interleaved in one list of events. */
const streamName = /(?:^|_)index$|Index$|^item_id$/;
/** Fields that are the same in every event, or name it. */
const label = /^(?:type|id|object|model|role|event|status|created|item_id|finish_reason|system_fingerprint)$/;

/**
 * Takes out secrets that lie over several events of a stream, a few characters in each (`delta`, `partial_json`), or over
 * the tokens of a list of log probabilities: strings in the same place of the list's elements are read as one text.
 * The mark stands where the secret began; the other pieces lose theirs.
 * @returns the same list when nothing lies over two elements.
 */
export function joinedPieces(values: readonly unknown[], redactor: Finder): readonly unknown[] {
  if (values.length < 2 || !values.every((each) => typeof each === "object" && each !== null)) return values;
  let found = spanning(values, redactor);
  if (found.length === 0) return values;
  // A second look at a copy of one's own, which may be changed.
  const copy = structuredClone(values);
  found = spanning(copy, redactor);
  for (const { pieces, start, end, kind } of found) takeOut(pieces, start, end, marker(kind));
  for (const { kind } of found) redactor.count(kind);
  return copy;
}

interface Spanning {
  pieces: readonly Piece[];
  start: number;
  end: number;
  kind: string;
}

/** What lies over the border of two pieces, the last ones of each text first. */
function spanning(values: readonly unknown[], redactor: Finder): Spanning[] {
  const places = new Map<string, Piece[]>();
  for (const value of values) gather(value, "", places, 0);
  const found: Spanning[] = [];
  for (const pieces of places.values()) {
    if (pieces.length < 2) continue;
    const findings = redactor.find(pieces.map(({ text }) => text).join(""));
    const borders = findings.length === 0 ? [] : bordersOf(pieces);
    for (const finding of findings.toReversed()) {
      if (borders.some((at) => at > finding.start && at < finding.end)) found.push({ pieces, ...finding });
    }
  }
  return found;
}

function bordersOf(pieces: readonly Piece[]): number[] {
  let at = 0;
  return pieces.map(({ text }) => (at += text.length));
}

/** Deltas are shallow; what lies deeper is a document, which is read by itself. */
const deepestDelta = 12;

function gather(value: unknown, place: string, places: Map<string, Piece[]>, depth: number): void {
  if (typeof value !== "object" || value === null || depth > deepestDelta) return;
  const owner = value as Record<string, unknown> | unknown[];
  const own = Array.isArray(owner) ? place : place + streamOf(owner);
  for (const key of Object.keys(owner)) {
    const each = (owner as Record<string, unknown>)[key];
    if (!isInside(key, each)) continue;
    const inner = Array.isArray(owner) ? `${own}[]` : `${own}.${key}`;
    if (typeof each !== "string") gather(each, inner, places, depth + 1);
    else {
      const pieces = places.get(inner) ?? [];
      pieces.push({ owner, key, text: each });
      places.set(inner, pieces);
    }
  }
}

/** Whether a field has a piece of a text, or may have some further inside. */
function isInside(key: string, value: unknown): boolean {
  return typeof value === "string" ? !label.test(key) : typeof value === "object";
}

function streamOf(value: Readonly<Record<string, unknown>>): string {
  let stream = "";
  for (const name of Object.keys(value)) {
    const each = value[name];
    if ((typeof each === "number" || typeof each === "string") && streamName.test(name))
      stream += `{${name}=${each}}`;
  }
  return stream;
}

function takeOut(pieces: readonly Piece[], start: number, end: number, mark: string): void {
  let at = 0;
  for (const piece of pieces) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, piece.text.length);
    at += piece.text.length;
    if (from >= to) continue;
    const owner = piece.owner as Record<string | number, unknown>;
    const text = String(owner[piece.key]);
    owner[piece.key] =
      text.slice(0, from) + (from + at - piece.text.length === start ? mark : "") + text.slice(to);
  }
}
