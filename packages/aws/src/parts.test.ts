import fc from "fast-check";
import { expect, test } from "vitest";
import { gather } from "../../../test/fakes/gather.ts";
import { partsOf } from "./parts.ts";

async function* stream(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

test("however a body is cut, its parts are all of it, each as long as asked for but the last", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 50 }),
      async (chunks, size) => {
        const parts = await gather(partsOf(stream(chunks), size));
        expect(Buffer.concat(parts)).toEqual(Buffer.concat(chunks));
        expect(parts.slice(0, -1).every(({ byteLength }) => byteLength === size)).toBe(true);
        expect(parts.every(({ byteLength }) => byteLength > 0 && byteLength <= size)).toBe(true);
      },
    ),
  );
});

test("10,000 parts, S3's limit, hold more than S3's largest object", async () => {
  let count = 0;
  let bytes = 0;
  // One byte a part stands for 8 MiB: 10,000 parts of doubling size.
  for await (const part of partsOf(new Uint8Array(2_000_000), 1)) {
    count += 1;
    bytes += part.byteLength;
  }
  expect(bytes).toBe(2_000_000);
  expect(count).toBeLessThanOrEqual(10_999);
  const doubling = Array.from({ length: 10 }, (_, step) => 1_000 * 2 ** step).reduce((sum, n) => sum + n, 0);
  expect(doubling * 8 * 1024 ** 2).toBeGreaterThan(5 * 1024 ** 4);
});

test("a body that is one chunk is not copied", async () => {
  const body = Buffer.from("as it is");
  expect(await gather(partsOf(body))).toEqual([body]);
  const [part] = await gather(partsOf(stream([body])));
  expect(part).toBe(body);
});
