import { once } from "node:events";
import { connect } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  captureWorld,
  openDoor,
  startUpstream,
  testSession,
} from "../../../../test/servers/capture-world.ts";

/** A text in pieces, at whatever bytes. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return ends
    .map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
    .filter(({ length }) => length > 0);
}

const events = [{ n: 1, text: "Grüße 🙂" }, { n: 2, choices: [{ delta: { content: "a\nb" } }] }, "[DONE]"];
const answer = Buffer.from(
  events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join(""),
);
const question = { model: "m", input: "Was heißt 🙂?", list: [1, 2, 3] };
const asked = Buffer.from(JSON.stringify(question));
const head = `POST /v1/responses HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n`;
const chunked = (parts: readonly Buffer[]): Buffer[] => [
  ...parts.map((part) =>
    Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]),
  ),
  Buffer.from("0\r\n\r\n"),
];

test("however a request and its answer are cut, what passes and what is recorded is the same", async () => {
  const answerCuts: number[][] = [];
  const received: string[] = [];
  await using upstream = await startUpstream(async (request, response) => {
    received.push(await text(request));
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const piece of pieces(answer, answerCuts.shift() ?? [])) {
      response.write(piece);
      await turn();
    }
    response.end();
  });
  await using world = await captureWorld();
  const baseUrl = `${upstream.url}/v1`;
  const session = testSession("s", { upstream: { protocol: "responses", baseUrl, headers: {}, model: "m" } });
  await using door = await openDoor(world.proxy, session);
  const cuts = fc.array(fc.nat(), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(cuts, cuts, cuts, fc.boolean(), async (bodyCuts, wireCuts, outCuts, isChunked) => {
      answerCuts.push(outCuts);
      const frame = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${asked.length}`;
      const body = isChunked ? chunked(pieces(asked, bodyCuts)) : [asked];
      const wire = Buffer.concat([Buffer.from(`${head}${frame}\r\n\r\n`), ...body]);
      const socket = connect(door.port, "127.0.0.1").setNoDelay(true);
      await once(socket, "connect");
      for (const piece of pieces(wire, wireCuts)) {
        socket.write(piece);
        await turn();
      }
      const said = await buffer(socket);
      expect(unchunked(said)).toBe(answer.toString());
      expect(received.at(-1)).toBe(asked.toString());
    }),
    { numRuns: 60 },
  );
  await world.proxy.end(session);
  expect(session.exchanges.length).toBeGreaterThanOrEqual(60);
  for (const exchange of session.exchanges) {
    expect(exchange.request.body).toEqual(question);
    expect(exchange.response?.body).toEqual({ _events: events });
    expect(exchange).not.toHaveProperty("error");
  }
});

/** The body of an answer in chunks. */
function unchunked(bytes: Buffer): string {
  let at = bytes.indexOf("\r\n\r\n") + 4;
  const parts: Buffer[] = [];
  for (;;) {
    const end = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.subarray(at, end).toString(), 16);
    if (!(size > 0)) return Buffer.concat(parts).toString();
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

test("bytes that are no HTTP harm nobody", async () => {
  await using world = await captureWorld();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const socket = connect({ port: world.port, host: "127.0.0.1" });
      socket.on("error", () => undefined);
      socket.end(bytes);
      await text(socket).catch(() => "");
    }),
    { numRuns: 100 },
  );
  expect(world.problems).toEqual([]);
});
