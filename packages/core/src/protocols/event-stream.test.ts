import fc from "fast-check";
import { expect, test } from "vitest";
import { eventFrame } from "../../../../test/servers/model-provider/converse.ts";
import { eventStreamParser } from "./event-stream.ts";
import type { StreamEvent } from "./stream-event.ts";

function fed(stream: Uint8Array, sizes: readonly number[]): StreamEvent[] {
  const parser = eventStreamParser();
  const events: StreamEvent[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    events.push(...parser.push(stream.subarray(at, at + size)));
    at += size;
  }
  return [...events, ...parser.end()];
}

const payload = fc.dictionary(fc.string(), fc.jsonValue());

test("wherever a stream is cut into pieces, its events are the same, under their names", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("messageStart", "contentBlockDelta"), payload)),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (events, sizes) => {
        const bytes = Buffer.concat(events.map(([event, data]) => eventFrame({ event, data })));
        const expected = events.map(([event, data]) => ({
          event,
          data: { [event]: JSON.parse(JSON.stringify(data)) as unknown },
        }));
        expect(fed(bytes, sizes)).toEqual(expected);
      },
    ),
  );
});

test("an exception comes under its name", () => {
  const frame = eventFrame({ event: "throttlingException", data: { message: "slow down" } }, "exception");
  expect(eventStreamParser().push(frame)).toEqual([
    { event: "throttlingException", data: { throttlingException: { message: "slow down" } } },
  ]);
});

test("what is no such stream is an error", () => {
  const parser = eventStreamParser();
  expect(() => parser.push(Buffer.from("<html>Bad gateway</html>"))).toThrow("is no event stream of AWS");
});

test("a changed byte is noticed", () => {
  const frame = eventFrame({ event: "messageStart", data: { role: "assistant" } });
  fc.assert(
    fc.property(fc.nat(frame.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const broken = Buffer.from(frame);
      broken[at] = (broken[at] ?? 0) ^ change;
      expect(() => eventStreamParser().push(broken)).toThrow("the streamed answer");
    }),
  );
});

test("a stream that ends inside an event is an error, and so is an event above the limit", () => {
  const frame = eventFrame({ event: "messageStart", data: { role: "assistant" } });
  const parser = eventStreamParser();
  parser.push(frame.subarray(0, 20));
  expect(() => parser.end()).toThrow("ends inside an event");
  expect(() => eventStreamParser(50).push(frame.subarray(0, 12))).toThrow("more than 50 bytes");
});
