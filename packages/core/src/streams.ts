import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createZstdCompress, createZstdDecompress, zstdCompress as zstdCompressCallback } from "node:zlib";

const zstdCompressAsync = promisify(zstdCompressCallback);

/** Reads a stream whole. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Compresses small data in one go (zstd, level 3). */
export async function zstd(data: Uint8Array): Promise<Buffer> {
  return zstdCompressAsync(data);
}

export function zstdStream(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return through(source, createZstdCompress());
}

export function unzstdStream(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return through(source, createZstdDecompress());
}

/** What comes out of `transform`; an error of either, and a reader that stops early, end both. */
async function* through(source: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  // Not Readable.compose: a reader that stops early makes it raise an AbortError that nobody can catch.
  const flow = pipeline(source, transform).catch(() => undefined);
  try {
    yield* transform;
  } finally {
    transform.destroy();
    await flow;
  }
}

/** The lines of a UTF-8 stream without their line ends; a last line without one counts, an empty one does not. */
export async function* lines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of source) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) yield part;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
