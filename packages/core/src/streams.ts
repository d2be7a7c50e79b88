import { Readable } from "node:stream";
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
  return Readable.from(source).compose(createZstdCompress()) as AsyncIterable<Uint8Array>;
}

export function unzstdStream(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return Readable.from(source).compose(createZstdDecompress()) as AsyncIterable<Uint8Array>;
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
