import fc from "fast-check";
import { expect, test } from "vitest";
import { sseParser } from "./sse.ts";
import type { StreamEvent, StreamParser } from "./stream-event.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Feeds a stream in pieces of the given sizes, over and over. */
function fed(parser: StreamParser, stream: Uint8Array, sizes: readonly number[]): StreamEvent[] {
  const events: StreamEvent[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    events.push(...parser.push(stream.subarray(at, at + size)));
    at += size;
  }
  return [...events, ...parser.end()];
}

const whole = (text: string): StreamEvent[] => fed(sseParser(), bytes(text), [text.length * 4 + 1]);

test("events come with their names and their data parsed; text that is no JSON comes as it is", () => {
  expect(whole('event: a\ndata: {"n":1}\n\ndata: [DONE]\n\n')).toEqual([
    { event: "a", data: { n: 1 } },
    { data: "[DONE]" },
  ]);
});

test.each([
  ["CRLF", "data: 1\r\n\r\ndata: 2\r\n\r\n"],
  ["CR", "data: 1\r\rdata: 2\r\r"],
  ["a byte order mark", "\uFEFFdata: 1\n\ndata: 2\n\n"],
  ["comments and unknown fields", ": ping\n\nid: 7\nretry: 10\nwho: me\ndata: 1\n\n:\n\ndata: 2\n\n"],
  ["no space after the colon", "data:1\n\ndata:2\n\n"],
  ["no empty line at the end", "data: 1\n\ndata: 2"],
])("reads streams with %s", (_, text) => {
  expect(whole(text).map(({ data }) => data)).toEqual([1, 2]);
});

test("several data lines are one event", () => {
  expect(whole('data: {"text":\ndata: "x"}\n\n')).toEqual([{ data: { text: "x" } }]);
});

const line = fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => text.replace(/[\r\n]/g, " "));
const ending = fc.constantFrom("\n", "\r\n", "\r");
const stream = fc
  .tuple(fc.array(fc.tuple(fc.constantFrom("data: ", "event: ", ": ", "", "data"), line)), ending)
  .map(([lines, end]) => lines.map(([field, text]) => `${field}${text}${end}`).join(""));

test("wherever a stream is cut into pieces, the events are the same", () => {
  fc.assert(
    fc.property(stream, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (text, sizes) => {
      expect(fed(sseParser(), bytes(text), sizes)).toEqual(whole(text));
    }),
  );
});

test("any bytes are read without a crash", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (raw, sizes) => {
      fed(sseParser(), raw, sizes);
    }),
  );
});

test.each([
  ["a line without end", "data: ", "x"],
  ["an event of many lines", "", "data: xxxxxxxx\n"],
  ["a comment without end", ":", "x"],
])("%s is an error once it is above the limit, not memory", (_, start, piece) => {
  const parser = sseParser(1_000);
  parser.push(bytes(start));
  const fill = (): void => {
    for (let count = 0; count < 2_000; count += 1) parser.push(bytes(piece));
  };
  expect(fill).toThrow("an event of more than 1000 characters");
  expect(() => parser.push(bytes("data: 1\n\n"))).toThrow("an event of more than 1000 characters");
});

test("the limit is the same for an event that comes in one piece", () => {
  expect(() => sseParser(10).push(bytes(`data: ${"x".repeat(11)}\n\n`))).toThrow("more than 10 characters");
  expect(sseParser(10).push(bytes(`data: ${"x".repeat(10)}\n\n`))).toHaveLength(1);
});
