import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { expect, test } from "vitest";
import { askingForUsage, withoutExtraUsage } from "./extra-usage.ts";

function asking(body: string): string | undefined {
  return askingForUsage(Buffer.from(body))?.toString();
}

test("a streamed request asks for usage, and stays as it was otherwise", () => {
  expect(asking('{"stream": true, "seed": 12345678901234567890}')).toBe(
    '{"stream_options":{"include_usage":true},"stream": true, "seed": 12345678901234567890}',
  );
  const other = asking('{"stream":true,"stream_options":{"include_obfuscation":false}}');
  expect(JSON.parse(other ?? "")).toEqual({
    stream: true,
    stream_options: { include_obfuscation: false, include_usage: true },
  });
});

test.each([
  '{"stream":false}',
  "{}",
  "[]",
  "no JSON",
  '{"stream":true,"stream_options":{"include_usage":true}}',
])("%s is sent as it is", (body) => {
  expect(asking(body)).toBeUndefined();
});

const extra = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1}}';
const kept = [
  'data: {"choices":[{"delta":{"content":"\\"choices\\":[]"}}],"usage":null}',
  'data: {"choices":[],"prompt_filter_results":[],"usage":null}',
  ": a comment",
  "data: [DONE]",
];

async function filtered(text: string, cuts: readonly number[]): Promise<string> {
  const filter = withoutExtraUsage();
  const bytes = Buffer.from(text);
  const sorted = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  for (const [index, end] of sorted.slice(1).entries()) filter.write(bytes.subarray(sorted[index], end));
  filter.end();
  return (await buffer(filter)).toString();
}

test("the chunk that only the proxy asked for is taken out, wherever the stream is cut", async () => {
  const events = fc.array(fc.constantFrom(...kept, extra), { maxLength: 8 });
  const line = fc.constantFrom("\n", "\r\n");
  await fc.assert(
    fc.asyncProperty(events, line, fc.array(fc.nat(), { maxLength: 6 }), async (list, newline, cuts) => {
      const text = (of: readonly string[]) => of.map((event) => `${event}${newline}${newline}`).join("");
      expect(await filtered(text(list), cuts)).toBe(text(list.filter((event) => event !== extra)));
    }),
    { numRuns: 300 },
  );
});

test("whole events go on at once", async () => {
  const filter = withoutExtraUsage();
  filter.write('data: {"choices":[{}]}\n\ndata: {"cho');
  expect(String(filter.read())).toBe('data: {"choices":[{}]}\n\n');
});
