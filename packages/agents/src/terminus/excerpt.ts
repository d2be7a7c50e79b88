/** Text that grows without bound, of which the beginning and the end are kept. */
export class Excerpt {
  readonly #half: number;
  #head = "";
  #tail = "";
  /** Bytes that are in neither. */
  #dropped = 0;

  /** @param maxBytes of UTF-8; half of it for the beginning, half for the end. */
  constructor(maxBytes: number) {
    this.#half = Math.floor(maxBytes / 2);
  }

  get isEmpty(): boolean {
    return this.#head === "" && this.#tail === "";
  }

  append(text: string): void {
    let rest = text;
    if (this.#tail === "" && this.#dropped === 0) {
      const fitting = headWithin(rest, this.#half - Buffer.byteLength(this.#head));
      this.#head += fitting;
      rest = rest.slice(fitting.length);
    }
    if (rest === "") return;
    this.#tail += rest;
    // Cut only now and then: each cut copies the text that is kept.
    if (this.#tail.length > 4 * this.#half) this.#cut();
  }

  #cut(): void {
    const kept = tailWithin(this.#tail, this.#half);
    this.#dropped += Buffer.byteLength(this.#tail) - Buffer.byteLength(kept);
    this.#tail = kept;
  }

  toString(): string {
    this.#cut();
    if (this.#dropped === 0) return this.#head + this.#tail;
    return `${this.#head}\n[… ${this.#dropped} bytes left out here …]\n${this.#tail}`;
  }
}

/** The text as far as it fits, with the middle left out of one that does not. */
export function excerptOf(text: string, maxBytes: number): string {
  const excerpt = new Excerpt(maxBytes);
  excerpt.append(text);
  return excerpt.toString();
}

/** The longest beginning of whole characters in so many bytes. */
function headWithin(text: string, maxBytes: number): string {
  if (maxBytes <= 0) return "";
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}

/** The longest end of whole characters in so many bytes. */
function tailWithin(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  let from = Math.max(bytes.length - maxBytes, 0);
  while (from < bytes.length && ((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return bytes.subarray(from).toString();
}
