import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import {
  ask,
  captureWorld,
  echo,
  openDoor,
  proxyCredential,
  startUpstream,
  testSession,
  upstreamAt,
} from "../../../../test/servers/capture-world.ts";

const json = { "content-type": "application/json" };
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** An upstream that is not bound to HTTP's rules. */
async function rawUpstream(answer: (socket: Socket, text: string) => void) {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      seen.push(chunk.toString("latin1"));
      answer(socket, chunk.toString("latin1"));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** What comes back for these bytes until the first answer's head has come. */
async function rawly(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text, "latin1");
  const [chunk] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return chunk.toString("latin1");
}

const smuggled = "GET /v1/admin HTTP/1.1\r\nHost: x\r\n\r\n";

test.each([
  [
    "a connection header that names the length",
    `GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, content-length\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  ],
  [
    "an encoding behind thousands of headers",
    `POST /v1/messages/count_tokens HTTP/1.1\r\nHost: x\r\n${"a: b\r\n".repeat(3_000)}Transfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
  ],
  [
    "a length behind thousands of headers",
    `POST /v1/messages/count_tokens HTTP/1.1\r\nHost: x\r\n${"a: b\r\n".repeat(3_000)}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  ],
  [
    "a length and an encoding",
    `POST /v1/messages/count_tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
  ],
])("one request is one request to the upstream: %s", async (_name, bytes) => {
  await using upstream = await rawUpstream((socket) => socket.write(ok));
  await using world = await captureWorld();
  const session = testSession("s", { upstream: upstreamAt(`${upstream.url}/v1`) });
  await using door = await openDoor(world.proxy, session);
  const answer = await rawly(door.port, bytes);
  await world.proxy.end(session);
  const text = upstream.seen.join("");
  if (text === "") return expect(answer).toMatch(/^HTTP\/1.1 4\d\d /);
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const body = rest.join("\r\n\r\n");
  const lengths = head.match(/^content-length: .*$/gim) ?? [];
  if (/^transfer-encoding: chunked$/im.test(head)) {
    expect(lengths).toEqual([]);
    expect(body).toMatch(/^[0-9a-f]+\r\n/);
  } else expect(lengths).toEqual([`Content-Length: ${body.length}`]);
});

test.each([
  ["a reason of control characters", "HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok", 502],
  ["a status of no meaning", "HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok", 502],
  ["another protocol", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello", 502],
])("an upstream that answers with %s is a 502, and recorded", async (_name, answer, status) => {
  await using upstream = await rawUpstream((socket) => socket.write(answer, "latin1"));
  await using world = await captureWorld();
  const session = testSession("s", { upstream: upstreamAt(`${upstream.url}/v1`) });
  await using door = await openDoor(world.proxy, session);
  const said = await ask({ port: door.port, path: "/v1/chat/completions", headers: json }, "{}");
  expect(said.status).toBe(status);
  await world.proxy.end(session);
  expect(session.exchanges).toMatchObject([{ error: expect.any(String), response: { status } }]);
});

test("an upstream that breaks off in an error is an end for the client too", async () => {
  await using upstream = await rawUpstream((socket) => {
    socket.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{");
    setImmediate(() => socket.destroy());
  });
  await using world = await captureWorld();
  const session = testSession("s", { upstream: upstreamAt(`${upstream.url}/v1`) });
  await using door = await openDoor(world.proxy, session);
  const said = await ask({ port: door.port, path: "/v1/chat/completions", headers: json }, '{"stream":true}');
  expect(said.status).toBe(502);
  await world.proxy.end(session);
  expect(session.exchanges).toMatchObject([{ error: expect.stringContaining("broke off") }]);
});

test("a key goes to its host by TLS alone, whatever a client asks for", async () => {
  await using upstream = await echo();
  await using world = await captureWorld({
    keys: { "api.example.com": { "x-api-key": "the-real-key-by-host" } },
    routes: { "api.example.com": upstream.url },
  });
  const headers = { "proxy-authorization": proxyCredential("one") };
  const answer = await ask({ port: world.port, path: "http://api.example.com/v1/messages", headers });
  expect(answer.status).toBe(200);
  expect(answer.text).not.toContain("the-real-key-by-host");
});

test("a host that is called like a part of the language is a host", async () => {
  await using world = await captureWorld({ connectMs: 2_000 });
  const headers = { "proxy-authorization": proxyCredential("one") };
  const answer = await ask({ port: world.port, path: "http://constructor/", headers });
  expect(answer.status).toBe(502);
  expect(world.problems).toEqual([]);
});

test("the key opens what lies below its address, not what begins with the same letters", async () => {
  await using upstream = await echo();
  await using world = await captureWorld();
  const session = testSession("s", { upstream: upstreamAt(`${upstream.url}/team`) });
  await using door = await openDoor(world.proxy, session);
  const path = "/../team-2/chat/completions";
  expect((await ask({ port: door.port, path, headers: json }, "{}")).status).toBe(404);
});

test("a stream's exchange is given to its session before the stream's end is with the client", async () => {
  await using upstream = await startUpstream((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end('data: {"type":"message_stop"}\n\n');
  });
  await using world = await captureWorld();
  const session = testSession("s", { upstream: upstreamAt(upstream.url, "messages") });
  await using door = await openDoor(world.proxy, session);
  await ask({ port: door.port, path: "/v1/messages", headers: json }, '{"stream":true}');
  expect(session.exchanges).toHaveLength(1);
});

test("the proxy's end does not wait for ever for a session that records nothing", async () => {
  await using upstream = await echo();
  const world = await captureWorld({ recordMs: 50 });
  const never = new Promise<void>(() => undefined);
  const session = testSession("s", { upstream: upstreamAt(`${upstream.url}/v1`), record: () => never });
  await using door = await openDoor(world.proxy, session);
  await ask({ port: door.port, path: "/v1/chat/completions", headers: json }, "{}");
  await world[Symbol.asyncDispose]();
  expect(world.problems).toMatchObject([{ message: expect.stringContaining("not recorded within 50 ms") }]);
});
