import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import { expect, test } from "vitest";
import { LineTail } from "./line-tail.ts";

async function tailOf(chunks: readonly (string | Buffer)[], keep = 3): Promise<LineTail> {
  const tail = new LineTail(keep);
  const stream = new PassThrough();
  tail.follow(stream);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await finished(stream);
  return tail;
}

test("keeps the last lines, whatever pieces they come in", async () => {
  const tail = await tailOf(["one\ntw", "o\r\nth", "ree\n\nfour"]);
  expect(tail.lines).toEqual(["two", "three", "four"]);
  expect(tail.last).toBe("four");
});

test("characters that come in halves are whole again", async () => {
  const bytes = Buffer.from("Grüße 🎉\n");
  const tail = await tailOf([bytes.subarray(0, 3), bytes.subarray(3, 10), bytes.subarray(10)]);
  expect(tail.lines).toEqual(["Grüße 🎉"]);
});

test("a progress bar and a line without end cost no memory", async () => {
  const bar = Array.from({ length: 100 }, (_, percent) => `\r${percent} %`);
  const endless = Array.from({ length: 100 }, () => "x".repeat(10_000));
  const tail = await tailOf([...bar, "\n", ...endless]);
  expect(tail.lines.length).toBe(3);
  expect(tail.lines[1]).toBe("99 %");
  expect(tail.last?.length).toBeLessThanOrEqual(500);
});
