import { PassThrough } from "node:stream";
import { collect } from "@tracemill/core/streams.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { demultiplex } from "./demux.ts";

type Frame = [stream: 1 | 2, content: string];

function framed(frames: readonly Frame[]): Buffer {
  return Buffer.concat(
    frames.flatMap(([stream, content]) => {
      const header = Buffer.alloc(8);
      header[0] = stream;
      header.writeUInt32BE(Buffer.byteLength(content), 4);
      return [header, Buffer.from(content)];
    }),
  );
}

async function* cutInto(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test("output and errors come apart, however the stream is cut", async () => {
  const frames = fc.array(fc.tuple(fc.constantFrom<1 | 2>(1, 2), fc.string({ maxLength: 40 })));
  await fc.assert(
    fc.asyncProperty(frames, fc.integer({ min: 1, max: 60 }), async (all, size) => {
      const [stdout, stderr] = [new PassThrough(), new PassThrough()];
      const seen = Promise.all([collect(stdout), collect(stderr)]);
      await demultiplex(cutInto(framed(all), size), { stdout, stderr });
      stdout.end();
      stderr.end();
      const wanted = ([1, 2] as const).map((stream) =>
        all
          .filter(([of]) => of === stream)
          .map(([, content]) => content)
          .join(""),
      );
      expect((await seen).map(String)).toEqual(wanted);
    }),
  );
});

test("a reader who is slow holds the stream up, and one who has gone does not", async () => {
  const content = "x".repeat(100_000);
  const stderr = new PassThrough();
  const slow = new PassThrough({ highWaterMark: 10 });
  let isDone = false;
  const slowly = demultiplex(cutInto(framed([[1, content]]), 1000), { stdout: slow, stderr }).then(() => {
    isDone = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isDone).toBe(false);
  slow.resume();
  await slowly;
  const gone = new PassThrough();
  gone.destroy();
  await demultiplex(cutInto(framed([[1, content]]), 1000), { stdout: gone, stderr });
});
