/** Levels of arrays and objects that are read; deeper ones make the text no JSON. */
const maxDepth = 32;

export interface LenientJson {
  value: unknown;
  /** Where the text goes on after the value. */
  end: number;
  /**
   * How the text ended: `whole`; `unclosed`: only closing brackets were missing; `cut`: within a text, a number or before
   * a value, which is left out then.
   */
  ended: "whole" | "unclosed" | "cut";
  /** What is no JSON and was read all the same. */
  repairs: Set<string>;
}

/**
 * Reads the JSON value that begins at `start`, as models write it: with line ends in strings, backslashes that escape
 * nothing, commas after the last element, brackets that are missing at the end. Members whose value is not whole are left
 * out. `undefined` when it is not even that. Takes time in proportion to the text.
 */
export function readLenientJson(text: string, start: number): LenientJson | undefined {
  const reader = new Reader(text, start);
  try {
    const value = reader.value(0);
    if (value === missing) return undefined;
    return { value, end: reader.at, ended: reader.ended, repairs: reader.repairs };
  } catch (error) {
    if (error instanceof NotJson) return undefined;
    throw error;
  }
}

class NotJson extends Error {}

/** Stands for a value that the end of the text cut off. */
const missing = Symbol("missing");

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

class Reader {
  readonly #text: string;
  at: number;
  ended: LenientJson["ended"] = "whole";
  readonly repairs = new Set<string>();

  constructor(text: string, at: number) {
    this.#text = text;
    this.at = at;
  }

  value(depth: number): unknown {
    this.#skipSpace();
    const next = this.#text[this.at];
    if (next === undefined) return this.#cut();
    if (depth > maxDepth) throw new NotJson();
    if (next === "{") return this.#object(depth);
    if (next === "[") return this.#array(depth);
    return next === '"' ? this.#string() : this.#word();
  }

  #object(depth: number): unknown {
    const entries: [string, unknown][] = [];
    this.#members("}", () => {
      if (this.#text[this.at] !== '"') throw new NotJson();
      const key = this.#string();
      this.#skipSpace();
      if (key === missing || this.at >= this.#text.length) return void this.#cut();
      if (this.#text[this.at] !== ":") throw new NotJson();
      this.at += 1;
      const value = this.value(depth + 1);
      if (value !== missing) entries.push([String(key), value]);
    });
    return Object.fromEntries(entries);
  }

  #array(depth: number): unknown {
    const values: unknown[] = [];
    this.#members("]", () => {
      const value = this.value(depth + 1);
      if (value !== missing) values.push(value);
    });
    return values;
  }

  /** What stands between brackets, with commas between. */
  #members(close: string, member: () => void): void {
    this.at += 1;
    for (;;) {
      this.#skipSpace();
      const next = this.#text[this.at];
      if (next === undefined) this.#unclosed();
      if (next === close) this.at += 1;
      if (next === undefined || next === close) return;
      member();
      this.#afterMember(close);
      if (this.ended !== "whole") return;
    }
  }

  #afterMember(close: string): void {
    this.#skipSpace();
    const next = this.#text[this.at];
    if (next === undefined || next === close) return;
    if (next !== ",") throw new NotJson();
    this.at += 1;
    this.#skipSpace();
    if (this.#text[this.at] === close) this.repairs.add("a comma after the last element");
  }

  #string(): string | typeof missing {
    this.at += 1;
    const pieces: string[] = [];
    for (;;) {
      const from = this.at;
      while (this.at < this.#text.length && !isSpecial(this.#text.charCodeAt(this.at))) this.at += 1;
      pieces.push(this.#text.slice(from, this.at));
      const next = this.#text[this.at];
      if (next === undefined) return this.#cut();
      this.at += 1;
      if (next === '"') return pieces.join("");
      if (next === "\\") pieces.push(this.#escape());
      else {
        this.repairs.add("a line end or another control character within a string, which is to be escaped");
        pieces.push(next);
      }
    }
  }

  #escape(): string {
    const letter = this.#text[this.at];
    if (letter === undefined) return "";
    this.at += 1;
    if (letter === "u") {
      const [digits] = /^[0-9a-fA-F]{4}/.exec(this.#text.slice(this.at, this.at + 4)) ?? [];
      if (digits !== undefined) {
        this.at += 4;
        return String.fromCharCode(Number.parseInt(digits, 16));
      }
    }
    const meant = escapes[letter];
    if (meant !== undefined) return meant;
    this.repairs.add("a backslash that escapes nothing, which is to be doubled");
    return `\\${letter}`;
  }

  /** A number, `true`, `false` or `null`; `True` and `None` are Python's. */
  #word(): unknown {
    const from = this.at;
    while (/[-+.\w]/.test(this.#text[this.at] ?? "")) this.at += 1;
    const word = this.#text.slice(from, this.at);
    // The text ends with it: who knows whether it would have gone on.
    if (this.at >= this.#text.length) return this.#cut();
    if (word === "") throw new NotJson();
    const known = words.get(word);
    if (known !== undefined) return known.value;
    const number = Number(word);
    if (Number.isNaN(number)) throw new NotJson();
    return number;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text[this.at] ?? "")) this.at += 1;
  }

  #cut(): typeof missing {
    this.ended = "cut";
    return missing;
  }

  #unclosed(): void {
    if (this.ended === "whole") this.ended = "unclosed";
  }
}

const words: ReadonlyMap<string, { value: boolean | null }> = new Map([
  ["true", { value: true }],
  ["false", { value: false }],
  ["null", { value: null }],
  ["True", { value: true }],
  ["False", { value: false }],
  ["None", { value: null }],
]);

/** A quote, a backslash, or a control character. */
function isSpecial(code: number): boolean {
  return code === 0x22 || code === 0x5c || code < 0x20;
}
