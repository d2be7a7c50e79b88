import type { ObjectBody } from "@tracemill/core/ports/object-store.ts";

/**
 * Bytes of a part of a multipart upload, and the most that goes in one PUT of a stream. S3 wants at least 5 MiB; at
 * 8 MiB a broken part costs a tenth of a second to send again, and four of them in flight stay below 40 MiB.
 */
export const partBytes = 8 * 1024 * 1024;

/** S3 allows 10,000 parts: each thousand doubles their size, so that 8 TiB fit (S3's own limit is 5 TiB). */
const partsOfOneSize = 1_000;

/** A body in parts, none of them empty: all but the last at least `partBytes` long. */
export async function* partsOf(body: ObjectBody, smallest = partBytes): AsyncGenerator<Uint8Array, void> {
  let pending: Uint8Array[] = [];
  let size = 0;
  let count = 0;
  const wanted = (): number => smallest * 2 ** Math.floor(count / partsOfOneSize);
  for await (let chunk of body instanceof Uint8Array ? [body] : body) {
    while (size + chunk.byteLength >= wanted()) {
      const fits = wanted() - size;
      yield joinedTo(pending, chunk.subarray(0, fits));
      chunk = chunk.subarray(fits);
      pending = [];
      size = 0;
      count += 1;
    }
    if (chunk.byteLength > 0) pending.push(chunk);
    size += chunk.byteLength;
  }
  if (size > 0) yield joinedTo(pending);
}

/** One array of all; a single one is not copied. */
function joinedTo(pending: Uint8Array[], last?: Uint8Array): Uint8Array {
  const all = last === undefined ? pending : [...pending, last];
  return all.length === 1 && all[0] !== undefined ? all[0] : Buffer.concat(all);
}
