import type { SecretRule } from "./secret-rule.ts";

/** A secret in a text: where it stands, in UTF-16 code units. */
export interface Finding {
  readonly start: number;
  readonly end: number;
  readonly kind: string;
}

export type Scanner = (text: string) => readonly Finding[];

interface Sighting extends Finding {
  /** Of two that overlap, the one with the lower number gives the kind. */
  rank: number;
}

const nothing: readonly Finding[] = [];

/** Thousands of redactors have the same rules: they share what those were made into, some 100 KB. */
const known = new WeakMap<readonly SecretRule[], AnchoredRules>();

/** Finds what some rules know, in ascending order and without overlaps; in time that is linear in the text's length. */
export function createScanner(rules: readonly SecretRule[], others: readonly RankedPattern[] = []): Scanner {
  const byAnchor = known.get(rules) ?? anchored(rules);
  known.set(rules, byAnchor);
  return (text) => {
    const sightings: Sighting[] = [];
    for (const other of others) collectPattern(text, other, sightings);
    collectAnchored(text, byAnchor, sightings);
    return sightings.length === 0 ? nothing : merged(sightings);
  };
}

/** A pattern without an anchor: it is tried everywhere. */
export interface RankedPattern {
  kind: string;
  /** Global. */
  pattern: RegExp;
  rank: number;
}

function collectPattern(text: string, { kind, pattern, rank }: RankedPattern, into: Sighting[]): void {
  for (const match of text.matchAll(pattern)) {
    if (match[0] !== "") into.push({ start: match.index, end: match.index + match[0].length, kind, rank });
  }
}

interface AnchoredRules {
  /** Sticky: the anchor at a place. */
  anchors: RegExp;
  gate: Gate;
  /** Anchors of one character, which no triple tells. */
  lone: readonly string[];
  rulesAt(anchor: string): readonly SecretRule[];
}

/** More ways to write the anchors than this (`ToKeN`) are not kept. */
const keptAnchors = 1_000;

function anchored(rules: readonly SecretRule[]): AnchoredRules {
  const spelt = rules.flatMap((rule) => rule.anchors.map((anchor) => ({ anchor, rule })));
  // Longer ones first: where one begins with another, the rules of both are tried.
  const alternatives = spelt
    .toSorted((a, b) => b.anchor.length - a.anchor.length)
    .map(({ anchor, rule }) => (rule.foldCase === true ? anyCase(anchor) : RegExp.escape(anchor)));
  const known = new Map<string, readonly SecretRule[]>();
  return {
    anchors: new RegExp([...new Set(alternatives)].join("|"), "y"),
    gate: gateOf(spelt.map(({ anchor }) => anchor).filter((anchor) => anchor.length > 1)),
    lone: [...new Set(spelt.map(({ anchor }) => anchor).filter((anchor) => anchor.length === 1))],
    rulesAt(anchor) {
      const cached = known.get(anchor);
      if (cached !== undefined) return cached;
      const found = rules.filter((rule) => rule.anchors.some((each) => startsWith(anchor, each, rule)));
      if (known.size < keptAnchors) known.set(anchor, found);
      return found;
    },
  };
}

function startsWith(text: string, anchor: string, { foldCase }: SecretRule): boolean {
  return (foldCase === true ? text.toLowerCase() : text).startsWith(anchor);
}

function anyCase(anchor: string): string {
  return Array.from(anchor, (char) =>
    /[a-z]/.test(char) ? `[${char}${char.toUpperCase()}]` : RegExp.escape(char),
  ).join("");
}

/** Three characters, five bits of each: a letter's two cases are one. */
const grams = 1 << 15;
const anyOther = 0xff_ff_ff_ff;

/**
 * How anchors may begin. Few places of an ordinary text pass, so that the pattern of all anchors is seldom tried.
 * `thirds` is small, so that it stays in the processor's nearest cache.
 */
interface Gate {
  /** By two characters: which may follow, a bit each. */
  thirds: Uint32Array;
  /** By three characters: the same. */
  fourths: Uint32Array;
}

function gateOf(anchors: readonly string[]): Gate {
  const thirds = new Uint32Array(1 << 10);
  const fourths = new Uint32Array(grams);
  for (const anchor of anchors) {
    const [first = 0, second = 0, third, fourth] = Array.from(anchor, (char) => char.charCodeAt(0) & 31);
    const pair = (first << 5) | second;
    allow(thirds, pair, third);
    if (third === undefined) fourths.fill(anyOther, pair << 5, (pair + 1) << 5);
    else allow(fourths, (pair << 5) | third, fourth);
  }
  return { thirds, fourths };
}

function allow(table: Uint32Array, at: number, next: number | undefined): void {
  table[at] = (table[at] ?? 0) | (next === undefined ? anyOther : 1 << next);
}

function collectAnchored(text: string, rules: AnchoredRules, into: Sighting[]): void {
  for (const anchor of rules.lone) {
    for (let at = text.indexOf(anchor); at !== -1; at = text.indexOf(anchor, at + 1)) {
      collectAt(text, at, rules, into);
    }
  }
  for (let from = 0; from < text.length; ) from = collectWindow(text, from, rules, into);
}

/** The low byte of each character of a part of a text: read in less than half the time of the text itself. */
const lowBytes = Buffer.alloc(64 * 1024);

/** Looks through the part of a text from there on that `lowBytes` holds. @returns where to go on. */
function collectWindow(text: string, from: number, rules: AnchoredRules, into: Sighting[]): number {
  const isLast = text.length - from <= lowBytes.length;
  const size = lowBytes.write(
    from === 0 && isLast ? text : text.slice(from, from + lowBytes.length),
    "latin1",
  );
  // What follows a window's last triple is in the next window alone: it is looked at there.
  const end = isLast ? size : size - 1;
  for (let at = nextPlace(rules.gate, 2, end, size); at < end; ) {
    const next = collectAt(text, from + at - 2, rules, into) - from;
    // What is found is not looked into again.
    if (next + 2 > end) return from + next;
    at = nextPlace(rules.gate, next > at ? next + 2 : at + 1, end, size);
  }
  return isLast ? text.length : from + size - 3;
}

/** Where the next triple ends, from `at` on, that an anchor may begin with; `end` when there is none. */
function nextPlace({ thirds, fourths }: Gate, at: number, end: number, size: number): number {
  const bytes: Uint8Array = lowBytes;
  let pair = (((bytes[at - 2] ?? 0) & 31) << 5) | ((bytes[at - 1] ?? 0) & 31);
  for (let place = at; place < end; place += 1) {
    const code = (bytes[place] ?? 0) & 31;
    const isBeginning = (((thirds[pair] ?? 0) >>> code) & 1) === 1;
    pair = ((pair << 5) | code) & 1023;
    if (!isBeginning) continue;
    // At the text's end no character follows, and the pattern decides.
    if (place + 1 >= size) return place;
    const triple = (((bytes[place - 2] ?? 0) & 31) << 10) | pair;
    if ((((fourths[triple] ?? 0) >>> ((bytes[place + 1] ?? 0) & 31)) & 1) === 1) return place;
  }
  return end;
}

/** @returns where to go on. */
function collectAt(text: string, at: number, { anchors, rulesAt }: AnchoredRules, into: Sighting[]): number {
  anchors.lastIndex = at;
  const anchor = anchors.exec(text)?.[0];
  let next = at;
  if (anchor === undefined) return next;
  for (const rule of rulesAt(anchor)) {
    const sighting = tryAt(text, at, rule);
    if (sighting === undefined) continue;
    into.push(sighting);
    if (rule.byPlace !== true) next = Math.max(next, sighting.end);
  }
  return next;
}

function tryAt(
  text: string,
  at: number,
  { kind, pattern, accepts, byPlace }: SecretRule,
): Sighting | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const end = at + match[0].length;
  const start = end - (match.groups?.value ?? match[0]).length - (match.groups?.before ?? "").length;
  if (accepts !== undefined && !accepts(text.slice(start, end))) return undefined;
  return { start, end, kind, rank: byPlace === true ? 3 : 2 };
}

function merged(sightings: readonly Sighting[]): Finding[] {
  const sorted = sightings.toSorted((a, b) => a.start - b.start || a.rank - b.rank || b.end - a.end);
  const findings: Sighting[] = [];
  for (const each of sorted) {
    const last = findings.at(-1);
    if (last === undefined || each.start >= last.end) findings.push(each);
    else {
      const { kind, rank } = each.rank < last.rank ? each : last;
      findings[findings.length - 1] = { start: last.start, end: Math.max(last.end, each.end), kind, rank };
    }
  }
  return findings.map(({ start, end, kind }) => ({ start, end, kind }));
}
