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
  gate: Uint8Array;
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
const gramMask = (1 << 15) - 1;

/**
 * Which triples of characters an anchor may begin with. Some 1 in 80 of an ordinary text's triples pass, and looking them up
 * takes a tenth of the time that a pattern of all anchors does.
 */
function gateOf(anchors: readonly string[]): Uint8Array {
  const gate = new Uint8Array(gramMask + 1);
  for (const anchor of anchors) {
    const [first = 0, second = 0, third] = Array.from(anchor, (char) => char.charCodeAt(0) & 31);
    const pair = (first << 10) | (second << 5);
    if (third === undefined) gate.fill(1, pair, pair + 32);
    else gate[pair | third] = 1;
  }
  return gate;
}

function collectAnchored(text: string, rules: AnchoredRules, into: Sighting[]): void {
  const { gate, lone } = rules;
  for (const anchor of lone) {
    for (let at = text.indexOf(anchor); at !== -1; at = text.indexOf(anchor, at + 1)) {
      collectAt(text, at, rules, into);
    }
  }
  let gram = 0;
  for (let at = 0; at < text.length; at += 1) {
    gram = ((gram << 5) | (text.charCodeAt(at) & 31)) & gramMask;
    if (gate[gram] !== 1 || at < 2) continue;
    const next = collectAt(text, at - 2, rules, into);
    // What is found is not looked into again; the triple fills anew from there.
    if (next > at) at = next - 1;
  }
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
