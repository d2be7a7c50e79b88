import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { bodyCopy, recordedBody } from "./body-copy.ts";

const limit = 100_000;

async function recorded(bytes: Buffer, headers: Record<string, string>, most = limit): Promise<unknown> {
  const copy = bodyCopy(most);
  for (let at = 0; at < bytes.length; at += 1_000) copy.push(bytes.subarray(at, at + 1_000));
  return recordedBody(copy, headers, most);
}

const json = Buffer.from(JSON.stringify({ text: "Grüße ".repeat(500) }));
const codings: [string, (bytes: Buffer) => Buffer][] = [
  ["identity", (bytes) => bytes],
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
  ["deflate", deflateSync],
  ["deflate", deflateRawSync],
  ["gzip, br", (bytes) => brotliCompressSync(gzipSync(bytes))],
];

test.each(codings)(
  "a body with Content-Encoding %s is recorded as what it holds",
  async (encoding, encode) => {
    const headers = { "content-type": "application/json", "content-encoding": encoding };
    expect(await recorded(encode(json), headers)).toEqual(JSON.parse(json.toString()));
  },
);

test("of an encoded stream that broke off, what came is recorded", async () => {
  const events = Buffer.from(`${'data: {"n":1}\n\n'.repeat(2_000)}`);
  const headers = { "content-type": "text/event-stream", "content-encoding": "gzip" };
  const whole = gzipSync(events);
  const body = (await recorded(whole.subarray(0, whole.length - 20), headers)) as { _events: unknown[] };
  expect(body._events.length).toBeGreaterThan(100);
  expect(body._events[0]).toEqual({ n: 1 });
});

test("a body above the limit is recorded by its size, also where only decoding shows it", async () => {
  expect(await recorded(Buffer.alloc(200_000, "a"), {})).toEqual({ _cut: 200_000 });
  const small = gzipSync(Buffer.alloc(200_000, "a"));
  expect(await recorded(small, { "content-encoding": "gzip" })).toEqual({ _cut: small.length });
});

test("bodies are recorded in the form that they have", async () => {
  expect(await recorded(Buffer.alloc(0), {})).toBeUndefined();
  expect(await recorded(Buffer.from("no JSON"), { "content-type": "text/plain" })).toEqual({
    _raw: "no JSON",
  });
  expect(await recorded(Buffer.of(0xff, 0xfe, 0), {})).toEqual({ _base64: "//4A" });
  expect(
    await recorded(Buffer.from("data: [DONE]\n\n"), { "content-type": "text/event-stream; charset=utf-8" }),
  ).toEqual({
    _events: ["[DONE]"],
  });
  expect(await recorded(Buffer.from("not gzip"), { "content-encoding": "gzip" })).toEqual({
    _raw: "not gzip",
  });
  const cutInCharacter = Buffer.from("Grüße").subarray(0, 3);
  expect(await recorded(cutInCharacter, { "content-type": "text/plain" })).toEqual({ _raw: "Gr\ufffd" });
});
