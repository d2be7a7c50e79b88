import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { expect, test } from "vitest";
import {
  ask,
  type CaptureWorld,
  captureWorld,
  openDoor,
  startUpstream,
  type TestSession,
  testSession,
  type Upstream,
} from "../../../../test/servers/capture-world.ts";

const stream = { "content-type": "text/event-stream" };

interface Scene extends AsyncDisposable {
  port: number;
  session: TestSession;
  /** What is recorded once all that is open has ended. */
  ended(): Promise<TestSession["exchanges"]>;
}

async function scene(
  upstream: Upstream,
  world: CaptureWorld,
  protocol: ModelProtocol = "responses",
): Promise<Scene> {
  const baseUrl = `${upstream.url}/v1`;
  const session = testSession("s", { upstream: { protocol, baseUrl, headers: {}, model: "m" } });
  const door = await openDoor(world.proxy, session);
  const ended = async () => {
    await world.proxy.end(session);
    return session.exchanges;
  };
  return { port: door.port, session, ended, [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() };
}

async function opened(port: number, path = "/v1/responses"): Promise<IncomingMessage> {
  const sent = request({ port, path, method: "POST", agent: false });
  sent.on("error", () => undefined);
  sent.end("{}");
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  answer.on("error", () => undefined);
  return answer;
}

test("an event reaches the client before the next one is there", async () => {
  const { promise: seen, resolve: see } = Promise.withResolvers<void>();
  await using upstream = await startUpstream(async (_request, response) => {
    response.writeHead(200, stream);
    response.flushHeaders();
    response.write('data: {"n":1}\n\n');
    await seen;
    response.end('data: {"n":2}\n\n');
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  const answer = await opened(at.port);
  const [first] = await once(answer, "data");
  expect(String(first)).toBe('data: {"n":1}\n\n');
  see();
  expect(await text(answer)).toBe('data: {"n":2}\n\n');
  const [exchange] = await at.ended();
  expect(exchange?.response?.body).toEqual({ _events: [{ n: 1 }, { n: 2 }] });
  expect(Date.parse(exchange?.firstByteAt ?? "")).toBeLessThanOrEqual(Date.parse(exchange?.endedAt ?? ""));
  expect(exchange).not.toHaveProperty("error");
});

test("headers come before the first byte of a slow model", async () => {
  const { promise: seen, resolve: see } = Promise.withResolvers<void>();
  await using upstream = await startUpstream(async (_request, response) => {
    response.writeHead(200, stream);
    response.flushHeaders();
    await seen;
    response.end();
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  const answer = await opened(at.port);
  expect(answer.headers["content-type"]).toBe("text/event-stream");
  see();
  await text(answer);
});

test("a client that leaves in mid-stream ends the upstream's work, and what came is recorded", async () => {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  await using upstream = await startUpstream((_request, response) => {
    response.writeHead(200, stream);
    const timer = setInterval(() => response.write('data: {"n":1}\n\n'), 5);
    response.once("close", () => {
      clearInterval(timer);
      stop();
    });
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  const answer = await opened(at.port);
  await once(answer, "data");
  answer.destroy();
  await stopped;
  const [exchange] = await at.ended();
  expect(exchange).toMatchObject({
    error: expect.stringContaining("the client left"),
    response: { status: 200 },
  });
});

test("an upstream that breaks off in mid-stream is seen by the client as that", async () => {
  await using upstream = await startUpstream((_request, response) => {
    response.writeHead(200, stream);
    response.write('data: {"n":1}\n\ndata: {"n":');
    setTimeout(() => response.destroy(), 20);
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  const answer = await opened(at.port);
  await expect(text(answer)).rejects.toMatchObject({ code: "ECONNRESET" });
  const [exchange] = await at.ended();
  expect(exchange?.error).toContain("the upstream broke off");
  expect(exchange?.response?.body).toMatchObject({ _events: expect.arrayContaining([{ n: 1 }]) });
});

test("an encoded answer passes as it is and is recorded as what it holds", async () => {
  const encoded = { gzip: gzipSync('{"model":"a"}'), br: brotliCompressSync('{"model":"b"}') };
  await using upstream = await startUpstream((asked, response) => {
    const encoding = asked.headers["accept-encoding"] === "br" ? "br" : "gzip";
    response.writeHead(200, { "content-type": "application/json", "content-encoding": encoding });
    response.end(encoded[encoding]);
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  for (const encoding of ["gzip", "br"] as const) {
    const options = { port: at.port, path: "/v1/responses", headers: { "accept-encoding": encoding } };
    const answer = await ask(options, "{}");
    expect(answer.headers["content-encoding"]).toBe(encoding);
    expect(answer.bytes.equals(encoded[encoding])).toBe(true);
  }
  expect((await at.ended()).map(({ response }) => response?.body)).toEqual([{ model: "a" }, { model: "b" }]);
});

test("bodies above the limit pass whole and are recorded by their size", async () => {
  const large = Buffer.alloc(300_000, "x");
  let received = 0;
  await using upstream = await startUpstream(async (asked, response) => {
    for await (const chunk of asked) received += chunk.length;
    response.end(large);
  });
  await using world = await captureWorld({ bodyLimit: 100_000 });
  await using at = await scene(upstream, world);
  const answer = await ask({ port: at.port, path: "/v1/responses" }, large);
  expect(answer.bytes.length).toBe(300_000);
  expect(received).toBe(300_000);
  const [exchange] = await at.ended();
  expect(exchange).toMatchObject({
    request: { body: { _cut: 300_000 } },
    response: { body: { _cut: 300_000 } },
  });
});

test("a slow client holds the upstream back", async () => {
  const size = 64 * 1024 * 1024;
  let written = 0;
  await using upstream = await startUpstream(async (_request, response) => {
    const chunk = Buffer.alloc(64 * 1024);
    response.setMaxListeners(0);
    for (; written < size && !response.destroyed; written += chunk.length)
      if (!response.write(chunk)) await Promise.race([once(response, "drain"), once(response, "close")]);
    response.end();
  });
  await using world = await captureWorld({ bodyLimit: 1_000 });
  await using at = await scene(upstream, world);
  const answer = await opened(at.port);
  answer.pause();
  // Until nothing moves any more.
  for (let before = -1; before !== written; await sleep(100)) before = written;
  expect(written).toBeLessThan(size / 2);
  answer.destroy();
});

test("trailers, HEAD, answers without a body and early hints pass", async () => {
  await using upstream = await startUpstream((asked, response) => {
    if (asked.method === "HEAD") return response.writeHead(200, { "content-length": "17" }).end();
    if (asked.method === "GET") return response.writeHead(304, { etag: '"1"' }).end();
    response.writeEarlyHints({ link: "</a>; rel=preload" });
    response.writeHead(200, { trailer: "x-checksum" });
    response.write("body");
    response.addTrailers({ "x-checksum": "abc" });
    return response.end();
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  const answer = await ask({ port: at.port, path: "/v1/responses" }, "{}");
  expect(answer).toMatchObject({ text: "body", trailers: { "x-checksum": "abc" } });
  await using open = await captureWorld({ providers: { p: upstream.url } });
  const head = await ask({ port: open.port, path: "/s/a:t/p/x", method: "HEAD" });
  expect(head).toMatchObject({ status: 200, headers: { "content-length": "17" }, text: "" });
  expect(await ask({ port: open.port, path: "/s/a:t/p/x" })).toMatchObject({
    status: 304,
    headers: { etag: '"1"' },
  });
});

test("a client that has said all it will is still answered", async () => {
  await using upstream = await startUpstream(async (asked, response) => {
    await text(asked);
    setTimeout(() => response.end("late"), 50);
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  const socket = connect({ port: at.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.end("POST /v1/responses HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
  const said = await text(socket);
  expect(said).toMatch(/^HTTP\/1.1 200 OK\r\n.*late/s);
  expect(await at.ended()).toMatchObject([{ response: { body: { _raw: "late" } } }]);
});

test("connections are kept on both sides", async () => {
  const ports = new Set<number | undefined>();
  await using upstream = await startUpstream(async (asked, response) => {
    ports.add(asked.socket.remotePort);
    await text(asked);
    response.end("{}");
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  const socket = connect(at.port, "127.0.0.1");
  for (let turn = 0; turn < 3; turn += 1) {
    socket.write("POST /v1/responses HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
    const [chunk] = await once(socket, "data");
    expect(String(chunk)).toMatch(/^HTTP\/1.1 200/);
    await sleep(20);
  }
  socket.destroy();
  expect(ports.size).toBe(1);
  expect(await at.ended()).toHaveLength(3);
});

test("a kept connection that the upstream has closed costs no request", async () => {
  let turns = 0;
  await using upstream = await startUpstream(async (asked, response) => {
    turns += 1;
    // As a server that closes an idle connection at the very moment at which the next request is on its way.
    if (turns === 2) return asked.socket.resetAndDestroy();
    await text(asked);
    response.end("{}");
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  for (let turn = 0; turn < 2; turn += 1)
    expect(await ask({ port: at.port, path: "/v1/responses" }, "{}")).toMatchObject({ status: 200 });
  expect(await at.ended()).toHaveLength(2);
});

test("an upstream that says nothing for too long is given up", async () => {
  await using upstream = await startUpstream(() => undefined);
  await using world = await captureWorld({ idleMs: 100 });
  await using at = await scene(upstream, world);
  expect(await ask({ port: at.port, path: "/v1/responses" }, "{}")).toMatchObject({ status: 502 });
});

test("the end of a session cuts what is open and records it", async () => {
  await using upstream = await startUpstream((_request, response) => {
    response.writeHead(200, stream);
    response.write('data: {"n":1}\n\n');
  });
  await using world = await captureWorld();
  await using at = await scene(upstream, world);
  const answer = await opened(at.port);
  await once(answer, "data");
  expect(await at.ended()).toMatchObject([{ error: expect.stringContaining("the client left") }]);
});
