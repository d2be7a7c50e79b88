import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collect, lines, unzstdStream, zstd, zstdStream } from "./streams.ts";

async function* chunks(data: Uint8Array, size: number, onReturn?: () => void): AsyncGenerator<Uint8Array> {
  try {
    for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
  } finally {
    onReturn?.();
  }
}

describe("zstd streams", () => {
  test("give back what went in, however it was cut", async () => {
    const property = fc.asyncProperty(
      fc.uint8Array({ maxLength: 5_000 }),
      fc.integer({ min: 1, max: 999 }),
      async (data, size) => {
        const back = unzstdStream(zstdStream(chunks(data, size)));
        expect(Buffer.compare(await collect(back), data)).toBe(0);
      },
    );
    await fc.assert(property, { numRuns: 50 });
  });

  test("a reader that stops early closes the source, and nothing is thrown behind its back", async () => {
    const packed = await zstd(Buffer.alloc(1_000_000, "some text that goes on "));
    let closed = false;
    for await (const chunk of unzstdStream(chunks(packed, 50, () => (closed = true)))) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(closed).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
  });

  test("rubbish, a cut and a source's own error are errors", async () => {
    const packed = await zstd(Buffer.from("hello ".repeat(1_000)));
    await expect(collect(unzstdStream(chunks(Buffer.from("rubbish"), 99)))).rejects.toThrow();
    await expect(collect(unzstdStream(chunks(packed.subarray(0, -5), 99)))).rejects.toThrow();
    const failing = async function* () {
      yield packed.subarray(0, 5);
      throw new Error("disk gone");
    };
    await expect(collect(unzstdStream(failing()))).rejects.toThrow("disk gone");
  });
});

test("lines are those of the text, however it was cut, letters of several bytes included", () => {
  const property = fc.asyncProperty(
    fc.array(fc.string({ unit: "binary" })),
    fc.integer({ min: 1, max: 9 }),
    async (parts, size) => {
      const expected = parts.map((part) => part.replaceAll("\n", " ").toWellFormed());
      const text = Buffer.from(expected.map((line) => `${line}\n`).join(""));
      expect(await Array.fromAsync(lines(chunks(text, size)))).toEqual(expected);
    },
  );
  return fc.assert(property, { numRuns: 50 });
});
