import { once } from "node:events";
import { connect, createServer as createListener } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import {
  ask,
  captureWorld,
  connectThrough,
  echo,
  openDoor,
  proxyCredential,
  secureThrough,
  startUpstream,
  testSession,
  upstreamAt,
} from "../../../../test/servers/capture-world.ts";

const json = { "content-type": "application/json" };

test.each([
  ["POST", "/v1/files"],
  ["GET", "/v1/files"],
  ["DELETE", "/v1/models/m-1"],
  ["POST", "/v1/../admin/chat/completions"],
  ["POST", "/v1/batches"],
])("the real key opens no more than the model: %s %s is refused", async (method, path) => {
  const asked: unknown[] = [];
  await using upstream = await startUpstream((request, response) => {
    asked.push(request.url);
    response.end();
  });
  await using world = await captureWorld();
  await using door = await openDoor(
    world.proxy,
    testSession("s", { upstream: upstreamAt(`${upstream.url}/v1`) }),
  );
  expect(await ask({ port: door.port, method, path })).toMatchObject({ status: 404 });
  expect(asked).toEqual([]);
});

test("an upstream with a certificate of its own making is not believed", async () => {
  await using upstream = await echo("api.example.com");
  await using world = await captureWorld({
    intercept: ["api.example.com"],
    routes: { "api.example.com": upstream.url },
  });
  const socket = await secureThrough(world.port, "api.example.com:443", "one", world.authority.certificate);
  const answer = await ask({ createConnection: () => socket, path: "/v1/messages", headers: json }, "{}");
  expect(answer).toMatchObject({ status: 502, text: expect.stringContaining("could not be reached") });
});

test("keys by host stand for the client's own", async () => {
  await using upstream = await echo();
  const keys = { "127.0.0.1": { "x-api-key": "the-real-key-by-host" } };
  await using world = await captureWorld({ providers: { anthropic: upstream.url }, keys });
  const headers = { ...json, authorization: "Bearer placeholder" };
  const answer = await ask({ port: world.port, path: "/s/one:t/anthropic/v1/messages", headers }, "{}");
  const seen = JSON.parse(answer.text).headers;
  expect(seen["x-api-key"]).toBe("the-real-key-by-host");
  expect(seen).not.toHaveProperty("authorization");
});

test("a client without a credential is told which it needs", async () => {
  await using world = await captureWorld();
  const answer = await ask({ port: world.port, path: "http://h.example/" });
  expect(answer).toMatchObject({ status: 407, headers: { "proxy-authenticate": 'Basic realm="tracemill"' } });
  const wrong = { "proxy-authorization": proxyCredential("one", "wrong") };
  expect(await ask({ port: world.port, path: "http://h.example/", headers: wrong })).toMatchObject({
    status: 407,
  });
  const socket = connect(world.port, "127.0.0.1");
  socket.write("CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n");
  expect(await text(socket)).toMatch(/^HTTP\/1.1 407 .*proxy-authenticate: Basic/s);
});

test("only listed hosts are reached, and a sandbox reaches no other than its model", async () => {
  await using upstream = await echo();
  await using world = await captureWorld({ allow: ["good.example", "127.0.0.1"] }, undefined, {
    resolve: async (name) => (name === "good.example" ? ["10.0.0.7"] : []),
  });
  const headers = { "proxy-authorization": proxyCredential("one") };
  const refused = await ask({ port: world.port, path: "http://bad.example/", headers });
  expect(refused).toMatchObject({
    status: 403,
    text: expect.stringContaining("bad.example:80: not on the list"),
  });
  // A listed name whose owner points it into this machine's network.
  expect(await ask({ port: world.port, path: "http://good.example/", headers })).toMatchObject({
    status: 403,
  });
  // This machine's own loopback, even where it is listed.
  expect(await ask({ port: world.port, path: `${upstream.url}/`, headers })).toMatchObject({ status: 403 });
  expect((await connectThrough(world.port, "bad.example:443", "one")).status).toBe(403);

  await using open = await captureWorld();
  await using door = await openDoor(
    open.proxy,
    testSession("s", { upstream: upstreamAt("http://127.0.0.1:9/v1") }),
  );
  expect(await ask({ port: door.port, path: `${upstream.url}/page` })).toMatchObject({ status: 403 });
  expect((await connectThrough(door.port, "h.example:443", "one")).status).toBe(403);
});

test("a request to the proxy itself does not go round", async () => {
  await using world = await captureWorld();
  const headers = { "proxy-authorization": proxyCredential("one") };
  const path = `http://localhost:${world.port}/s/one:t/x`;
  expect(await ask({ port: world.port, path, headers })).toMatchObject({
    status: 502,
    text: expect.stringContaining("that is this proxy itself"),
  });
});

test("upstreams are reached through the machine's own proxy", async () => {
  await using upstream = await echo("api.example.com");
  const asked: string[] = [];
  const proxy = createListener((socket) => {
    socket.once("data", (data) => {
      asked.push(String(data));
      const to = connect(upstream.port, "127.0.0.1");
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(to).pipe(socket);
      socket.on("error", () => to.destroy());
      to.on("error", () => socket.destroy());
    });
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as { port: number };
  await using world = await captureWorld({
    intercept: ["api.example.com"],
    proxies: { https: `http://me:secret@127.0.0.1:${port}` },
    ca: [upstream.ca],
  });
  const socket = await secureThrough(world.port, "api.example.com:443", "one", world.authority.certificate);
  const answer = await ask({ createConnection: () => socket, path: "/v1/messages", headers: json }, "{}");
  expect(answer.status).toBe(200);
  expect(asked[0]).toMatch(/^CONNECT api\.example\.com:443 HTTP\/1\.1\r\n/);
  expect(asked[0]).toContain(`roxy-authorization: Basic ${Buffer.from("me:secret").toString("base64")}`);
  proxy.close();
});
