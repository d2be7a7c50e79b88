import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { brotliDecompress, constants, gunzip, inflate, inflateRaw, zstdDecompress } from "node:zlib";
import { streamParserOf } from "@tracemill/core/protocols/stream-parser.ts";

/** A body as it passes, up to a limit; of a larger one only its size is kept. */
export interface BodyCopy {
  push(chunk: Buffer): void;
  /** Bytes that passed. */
  readonly size: number;
  /** What passed; `undefined` once it was more than the limit. */
  bytes(): Buffer | undefined;
}

export function bodyCopy(limit: number): BodyCopy {
  let chunks: Buffer[] = [];
  let size = 0;
  return {
    push: (chunk) => {
      size += chunk.length;
      if (size > limit) chunks = [];
      else chunks.push(chunk);
    },
    get size() {
      return size;
    },
    bytes: () => (size > limit ? undefined : Buffer.concat(chunks)),
  };
}

/**
 * Reads a body as far as the limit allows.
 * @returns `ended: false` when there is more of it, still to be read from `source`.
 * @throws when the sender left.
 */
export async function takeBody(
  source: Readable,
  limit: number,
): Promise<{ chunks: readonly Buffer[]; ended: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) return { chunks, ended: false };
  }
  return { chunks, ended: true };
}

/**
 * The body as a record has it: JSON parsed, `{_events}` of a stream of events, `{_raw}` of other text, `{_base64}` of
 * what is no text, `{_cut: bytes}` of what was larger than the limit; `undefined` of none.
 */
export async function recordedBody(
  copy: BodyCopy,
  headers: Readonly<Record<string, unknown>>,
  limit: number,
): Promise<unknown> {
  if (copy.size === 0) return undefined;
  const sent = copy.bytes();
  if (sent === undefined) return { _cut: copy.size };
  const decoded = await decode(sent, String(headers["content-encoding"] ?? ""), limit);
  if (decoded === "too-large") return { _cut: copy.size };
  return bodyForm(decoded, String(headers["content-type"] ?? ""));
}

function bodyForm(bytes: Buffer, contentType: string): unknown {
  const events = eventsOf(bytes, contentType);
  if (events !== undefined) return { _events: events };
  const text = utf8(bytes, contentType);
  if (text === undefined) return { _base64: bytes.toString("base64") };
  try {
    return JSON.parse(text);
  } catch {
    return { _raw: text };
  }
}

/** Each event's data. Of a stream that broke off or is malformed, those before that. */
function eventsOf(bytes: Buffer, contentType: string): unknown[] | undefined {
  const parser = streamParserOf(contentType);
  if (parser === undefined) return undefined;
  const events: unknown[] = [];
  try {
    for (const { data } of parser.push(bytes)) events.push(data);
    for (const { data } of parser.end()) events.push(data);
  } catch {
    // Nothing of what was said about it is lost: the exchange has its error, and `assemble` finds the answer open.
  }
  return events;
}

export function isEventStream(contentType: string | undefined): boolean {
  return contentType !== undefined && /^\s*text\/event-stream\b/i.test(contentType);
}

/** Text that says it is text may have been cut within a character. */
function utf8(bytes: Buffer, contentType: string): string | undefined {
  const isText = /^\s*text\/|json/i.test(contentType);
  return isText || isUtf8(bytes) ? bytes.toString("utf8") : undefined;
}

type Decoder = (bytes: Buffer, maxOutputLength: number) => Promise<Buffer>;

const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush } = constants;
const gunzipped = promisify<Buffer, object, Buffer>(gunzip);
const inflated = promisify<Buffer, object, Buffer>(inflate);
const inflatedRaw = promisify<Buffer, object, Buffer>(inflateRaw);
const unbrotlied = promisify<Buffer, object, Buffer>(brotliDecompress);
const unzstded = promisify<Buffer, object, Buffer>(zstdDecompress);

/** Each gives what there is of a body that broke off. */
const decoders: Readonly<Record<string, Decoder>> = {
  gzip: (bytes, maxOutputLength) => gunzipped(bytes, { maxOutputLength, finishFlush: Z_SYNC_FLUSH }),
  br: (bytes, maxOutputLength) => unbrotlied(bytes, { maxOutputLength, finishFlush: BROTLI_OPERATION_FLUSH }),
  zstd: (bytes, maxOutputLength) => unzstded(bytes, { maxOutputLength, finishFlush: ZSTD_e_flush }),
  // Meant is zlib's format (RFC 9110, 8.4.1.2); some servers send bare deflate, whose first byte is never of that form.
  deflate: (bytes, maxOutputLength) => {
    const options = { maxOutputLength, finishFlush: Z_SYNC_FLUSH };
    return ((bytes[0] ?? 0) & 0x0f) === 8 ? inflated(bytes, options) : inflatedRaw(bytes, options);
  },
  identity: async (bytes) => bytes,
};

/** Undoes `Content-Encoding`; what cannot be undone stays as it came. */
async function decode(bytes: Buffer, encoding: string, limit: number): Promise<Buffer | "too-large"> {
  const codings = encoding
    .toLowerCase()
    .split(",")
    .flatMap((coding) => coding.trim() || []);
  let decoded = bytes;
  for (const coding of codings.toReversed()) {
    const decoder = decoders[coding.replace(/^x-/, "")];
    if (decoder === undefined) return bytes;
    try {
      decoded = await decoder(decoded, limit);
    } catch (error) {
      return isTooLarge(error) ? "too-large" : bytes;
    }
  }
  return decoded;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
}
