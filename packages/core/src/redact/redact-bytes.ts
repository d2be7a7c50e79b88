import type { Finding } from "./scanner.ts";
import type { ScanningRedactor } from "./scanning-redactor.ts";

/** Read at once; the longest secret, a private key of 64 KiB, is far below it. */
const windowLength = 512 * 1024;
/** Read again with the next window: longer than any secret. */
const overlap = 96 * 1024;
/** Kept of what is done, for patterns that look back. */
const context = 1024;
/** As `git` and `grep` do it: data with a NUL in the beginning is no text. */
const inspected = 8 * 1024;

/**
 * Data of any size without secrets, and of the same length: what goes is filled up, so that a size which was written
 * before the data, and every offset in it, still holds. Bytes are read as Latin-1: they pass as they are, whatever their
 * encoding; text in UTF-16 is not understood. In binary data only secrets with a form of their own are looked for.
 */
export function redactBytes(
  source: AsyncIterable<Uint8Array>,
  { find, count }: Pick<ScanningRedactor, "find" | "count">,
): AsyncIterable<Uint8Array> {
  return scanBytes(source, { find, found: ({ kind }) => count(kind) });
}

export interface ByteScan {
  find: ScanningRedactor["find"];
  /** Called for each finding, in order. @param offset of the text's first character in the data. */
  found(finding: Finding, text: string, offset: number): void;
}

/** As `redactBytes`; says where each secret stands. */
export async function* scanBytes(
  source: AsyncIterable<Uint8Array>,
  scan: ByteScan,
): AsyncGenerator<Uint8Array> {
  const window = new Window(scan);
  for await (const chunk of source) {
    for (let from = 0; from < chunk.length; from += windowLength) {
      const ready = window.add(chunk.subarray(from, from + windowLength));
      if (ready !== undefined) yield ready;
    }
  }
  const last = window.end();
  if (last.length > 0) yield last;
}

class Window {
  readonly #scan: ByteScan;
  #text = "";
  /** Where in the text begins what was not given out. */
  #from = 0;
  #isBinary: boolean | undefined;
  /** Of the text's first character in the data. */
  #offset = 0;

  constructor(scan: ByteScan) {
    this.#scan = scan;
  }

  add(chunk: Uint8Array): Uint8Array | undefined {
    this.#text += latin1(chunk);
    if (this.#text.length - this.#from < windowLength) return undefined;
    return this.#upTo(this.#text.length - overlap);
  }

  end(): Uint8Array {
    return this.#upTo(this.#text.length);
  }

  #upTo(limit: number): Uint8Array {
    this.#isBinary ??= this.#text.slice(0, inspected).includes("\0");
    const parts: string[] = [];
    let from = this.#from;
    let cut = limit;
    for (const finding of this.#scan.find(this.#text, this.#isBinary)) {
      const { start, end, kind } = finding;
      if (end <= from) continue;
      if (start >= limit) break;
      if (end > limit) {
        // It is done as a whole with the next window, unless it began before this one.
        cut = start > this.#from ? start : end;
        if (cut === start) break;
      }
      const begin = Math.max(start, from);
      parts.push(this.#text.slice(from, begin), filled(kind, end - begin));
      this.#scan.found(finding, this.#text, this.#offset);
      from = end;
    }
    parts.push(this.#text.slice(from, cut));
    const kept = Math.max(0, cut - context);
    this.#text = this.#text.slice(kept);
    this.#offset += kept;
    this.#from = cut - kept;
    return Buffer.from(parts.join(""), "latin1");
  }
}

function latin1({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

/** The mark at a secret's own length: filled up with asterisks, or cut down to what fits. */
function filled(kind: string, length: number): string {
  const mark = [`[REDACTED:${kind}]`, "[REDACTED]", ""].find((each) => each.length <= length);
  return (mark ?? "").padEnd(length, "*");
}
