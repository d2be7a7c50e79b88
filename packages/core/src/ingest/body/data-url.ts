import { VALUE_TYPE } from "./artifact.ts";

/** A data URL of fewer characters stays in its row: a reference and an object of its own would cost more. */
export const SHORT_DATA_URL = 4 * 1024;

const HEAD = /^data:([a-z]+\/[\w.+-]+(?:;[\w-]+=[\w.+-]+)*);base64,/i;
/** Longest head that is looked for. */
const MOST_HEAD = 256;

/** Tells, piece by piece, whether a text is a base64 data URL that comes out again just as it went in. */
export class DataUrlCheck {
  /** Start of the text while the head is looked for, then the characters of the last, unfinished group of four. */
  #tail = "";
  #head: { mediaType: string; length: number } | undefined;
  #padded = false;
  #failed = false;

  take(piece: string): void {
    if (this.#failed) return;
    if (this.#head !== undefined) this.#takeBase64(piece);
    else {
      this.#tail += piece;
      if (this.#tail.length >= MOST_HEAD) this.#findHead();
    }
  }

  /** After the last piece: the media type, and the length of what goes before the base64. */
  end(): { mediaType: string; length: number } | undefined {
    if (this.#head === undefined && !this.#failed) this.#findHead();
    return this.#failed || !isCanonical(this.#tail) ? undefined : this.#head;
  }

  #findHead(): void {
    const [head, mediaType] = HEAD.exec(this.#tail) ?? [];
    if (head === undefined || mediaType === undefined || isValueType(mediaType)) {
      this.#failed = true;
      return;
    }
    this.#head = { mediaType, length: head.length };
    const rest = this.#tail.slice(head.length);
    this.#tail = "";
    this.#takeBase64(rest);
  }

  #takeBase64(piece: string): void {
    this.#failed ||= !(this.#padded ? /^=*$/ : /^[A-Za-z0-9+/]*=*$/).test(piece);
    this.#padded ||= piece.endsWith("=");
    const text = this.#tail + piece;
    this.#tail = text.slice(text.length - (text.length % 4 || 4));
  }
}

/**
 * The bytes of a data URL from its JSON text, quotes included.
 * @param head characters before the base64, without the quote.
 */
export async function* decodeDataUrl(
  chunks: AsyncIterable<Uint8Array>,
  head: number,
): AsyncGenerator<Uint8Array> {
  let skip = head + 1;
  let rest = "";
  for await (const chunk of chunks) {
    const from = Math.min(skip, chunk.byteLength);
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset + from, chunk.byteLength - from);
    const text = rest + bytes.toString("latin1");
    skip -= from;
    const whole = text.length - (text.length % 4);
    yield Buffer.from(text.slice(0, whole), "base64");
    rest = text.slice(whole);
  }
}

function isValueType(mediaType: string): boolean {
  return mediaType.toLowerCase().split(";", 1)[0] === VALUE_TYPE;
}

/** A last group whose unused bits are zero, so that encoding gives it again. */
function isCanonical(group: string): boolean {
  return Buffer.from(group, "base64").toString("base64") === group;
}
