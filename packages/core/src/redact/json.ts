import { isSecretField } from "./credential-rules.ts";
import { parsedJson } from "./parsed-json.ts";
import { joinedPieces } from "./pieces.ts";
import { marker, type ScanningRedactor } from "./scanning-redactor.ts";

type JsonRedactor = Pick<ScanningRedactor, "find" | "text" | "count">;

/** Deeper than what any program writes, and than what the stack holds: what stands there goes whole. */
const deepest = 1_000;

/**
 * What spells a text a second time: a text from which a secret went would still stand there as numbers. They go wherever
 * something of the same value went.
 */
const spellings = /token_ids$|tokenIds$|^bytes$|^top_logprobs$/;

/** @returns the same value when there is nothing to take out; else a copy in which the untouched parts are the same. */
export function redactJson<T>(value: T, redactor: JsonRedactor): T {
  const walk = new Walk(redactor);
  const redacted = walk.value(value, 0) as T;
  return Object.is(redacted, value) ? value : (withoutSpellings(redacted) as T);
}

class Walk {
  readonly #redactor: JsonRedactor;
  /** Names of fields without a secret in them: the events of a stream have the same ones, over and over. */
  readonly #cleanNames = new Set<string>();

  constructor(redactor: JsonRedactor) {
    this.#redactor = redactor;
  }

  /** @param name of the field whose value it is. */
  value(value: unknown, depth: number, name?: string): unknown {
    if (typeof value === "string") return this.#text(value, depth);
    if (typeof value !== "object" || value === null) return value;
    if (depth > deepest) return this.#mark("too-deep");
    if (Array.isArray(value)) return this.#array(value, depth, name);
    return isPlain(value) ? this.#object(value, depth) : value;
  }

  /** JSON in a string, such as a tool's arguments, stays JSON, whatever the patterns of a policy match. */
  #text(text: string, depth: number): string {
    const [first] = this.#redactor.find(text);
    if (first === undefined) return text;
    const inner = parsedJson(text);
    if (inner === undefined) return this.#redactor.text(text);
    const marked = this.#redactor.text(JSON.stringify(this.value(inner.value, depth + 1)));
    return parsedJson(marked) === undefined ? JSON.stringify(marker(first.kind)) : marked;
  }

  #array(values: readonly unknown[], depth: number, name?: string): readonly unknown[] {
    const whole = isCutUp(values, name) ? joinedPieces(values, this.#redactor) : values;
    let copy: unknown[] | undefined = whole === values ? undefined : [...whole];
    for (const [index, each] of whole.entries()) {
      const redacted = this.value(each, depth + 1);
      if (Object.is(redacted, each)) continue;
      copy ??= [...values];
      copy[index] = redacted;
    }
    return copy ?? values;
  }

  #object(value: Readonly<Record<string, unknown>>, depth: number): Readonly<Record<string, unknown>> {
    const redacted: [string, unknown][] = [];
    let isSame = true;
    for (const name of Object.keys(value)) {
      const entry: [string, unknown] = [this.#name(name), this.#field(name, value[name], value, depth)];
      isSame &&= entry[0] === name && Object.is(entry[1], value[name]);
      redacted.push(entry);
    }
    return isSame ? value : Object.fromEntries(redacted);
  }

  #name(name: string): string {
    if (this.#cleanNames.has(name)) return name;
    const redacted = this.#redactor.text(name);
    if (redacted === name) this.#cleanNames.add(name);
    return redacted;
  }

  /** A field's name says something of its value: its own, or that of a pair of `name` and `value`. */
  #field(name: string, value: unknown, owner: Readonly<Record<string, unknown>>, depth: number): unknown {
    if (typeof value !== "string") return this.value(value, depth + 1, name);
    const found = this.#text(value, depth);
    if (found !== value) return found;
    const called = name === "value" ? (owner.name ?? owner.key ?? name) : name;
    return typeof called === "string" && isSecretField(called, value) ? this.#mark("assigned-secret") : value;
  }

  #mark(kind: string): string {
    this.#redactor.count(kind);
    return marker(kind);
  }
}

/** Whether the elements are pieces of texts: events of a stream, or tokens with their log probabilities. */
function isCutUp(values: readonly unknown[], name: string | undefined): boolean {
  return (
    name === "_events" || values.some((each) => typeof each === "object" && each !== null && "token" in each)
  );
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function withoutSpellings(value: unknown): unknown {
  if (Array.isArray(value)) {
    const kept = value.map(withoutSpellings);
    return kept.every((each, index) => Object.is(each, value[index])) ? value : kept;
  }
  if (typeof value !== "object" || value === null || !isPlain(value)) return value;
  const entries = Object.entries(value);
  const kept = entries
    .filter(([name, each]) => !(Array.isArray(each) && spellings.test(name)))
    .map(([name, each]): [string, unknown] => [name, withoutSpellings(each)]);
  return isSame(entries, kept) ? value : Object.fromEntries(kept);
}

type Entries = readonly (readonly [string, unknown])[];

function isSame(a: Entries, b: Entries): boolean {
  return (
    a.length === b.length &&
    a.every(([name, value], index) => name === b[index]?.[0] && Object.is(value, b[index]?.[1]))
  );
}
