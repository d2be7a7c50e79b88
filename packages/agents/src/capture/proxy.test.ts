import { expect, test } from "vitest";
import {
  ask,
  captureWorld,
  echo,
  openDoor,
  proxyCredential,
  secureThrough,
  testSession,
  upstreamAt,
} from "../../../../test/servers/capture-world.ts";

const json = { "content-type": "application/json" };

test("a sandbox's request goes to its session's model with the real key, and is recorded", async () => {
  await using upstream = await echo();
  await using world = await captureWorld();
  const session = testSession("attempt-1", { upstream: upstreamAt(`${upstream.url}/api/v1`) });
  await using door = await openDoor(world.proxy, session);
  const headers = { ...json, authorization: "Bearer placeholder", "x-api-key": "another", "X-Own": "kept" };
  const answer = await ask({ port: door.port, path: "/v1/chat/completions?a=1", headers }, '{"messages":[]}');
  const seen = JSON.parse(answer.text);
  expect(seen).toMatchObject({
    method: "POST",
    url: "/api/v1/chat/completions?a=1",
    body: '{"messages":[]}',
  });
  expect(seen.headers).toMatchObject({
    authorization: "Bearer the-real-key-of-a-provider",
    host: `127.0.0.1:${upstream.port}`,
    "x-own": "kept",
  });
  expect(seen.headers).not.toHaveProperty("x-api-key");
  await world.proxy.end(session);
  expect(session.exchanges).toEqual([
    expect.objectContaining({
      kind: "http",
      sessionId: "attempt-1",
      method: "POST",
      url: `${upstream.url}/api/v1/chat/completions?a=1`,
      protocol: "chat-completions",
      model: "m-1",
      request: expect.objectContaining({ body: { messages: [] } }),
      response: expect.objectContaining({ status: 200 }),
    }),
  ]);
  // What an upstream repeats of the key is no less secret.
  expect(JSON.stringify(session.exchanges)).not.toContain("the-real-key");
});

test.each([
  ["messages", "/v1/messages", "/v1/messages"],
  ["messages", "/v1/messages/count_tokens?beta=true", "/v1/messages/count_tokens?beta=true"],
  ["responses", "/v1/responses", "/v1/responses"],
  ["responses", "/responses", "/v1/responses"],
  ["converse", "/model/a.b/converse-stream", "/v1/model/a.b/converse-stream"],
] as const)("a base URL for %s takes %s to %s", async (protocol, path, expected) => {
  await using upstream = await echo();
  await using world = await captureWorld();
  const base = protocol === "messages" ? upstream.url : `${upstream.url}/v1`;
  await using door = await openDoor(world.proxy, testSession("s", { upstream: upstreamAt(base, protocol) }));
  const answer = await ask({ port: door.port, path }, "{}");
  expect(JSON.parse(answer.text).url).toBe(expected);
});

test("HTTPS through CONNECT is read, verified on both sides, and recorded", async () => {
  await using upstream = await echo("api.example.com");
  await using world = await captureWorld({
    intercept: ["api.example.com"],
    routes: { "api.example.com": upstream.url },
    ca: [upstream.ca],
  });
  const socket = await secureThrough(world.port, "api.example.com:443", "one", world.authority.certificate);
  const headers = { ...json, host: "api.example.com", authorization: "Bearer the-users-own-key" };
  const answer = await ask(
    { createConnection: () => socket, path: "/v1/responses?key=key-of-the-query", headers },
    "{}",
  );
  expect(JSON.parse(answer.text).headers.authorization).toBe("Bearer the-users-own-key");
  const session = world.sessions.get("one");
  await world.proxy.end(session as never);
  expect(session?.exchanges).toMatchObject([
    { url: "https://api.example.com/v1/responses?key=%5BREDACTED%3Aquery%5D", protocol: "responses" },
  ]);
  expect(JSON.stringify(session?.exchanges)).not.toMatch(/the-users-own-key|key-of-the-query/);
});

test("a host that is not intercepted passes unread", async () => {
  await using upstream = await echo("other.example.com");
  await using world = await captureWorld({
    intercept: ["api.example.com"],
    routes: { "other.example.com": upstream.url },
  });
  // The client sees the upstream's own certificate.
  const socket = await secureThrough(world.port, "other.example.com:443", "one", upstream.ca);
  const answer = await ask({ createConnection: () => socket, path: "/v1/responses", headers: json }, "{}");
  expect(answer.status).toBe(200);
  await world.proxy.end(world.sessions.get("one") as never);
  expect(world.sessions.get("one")?.exchanges).toEqual([]);
});

test("plain HTTP with a whole URL passes; what goes to a model is recorded, other things are not", async () => {
  await using upstream = await echo();
  await using world = await captureWorld();
  const headers = { ...json, "proxy-authorization": proxyCredential("one") };
  const page = await ask({ port: world.port, path: `${upstream.url}/page`, headers });
  expect(JSON.parse(page.text)).toMatchObject({ url: "/page" });
  expect(page.text).not.toContain("proxy-authorization");
  await ask({ port: world.port, path: `${upstream.url}/v1/chat/completions`, headers }, "{}");
  await world.proxy.end(world.sessions.get("one") as never);
  expect(world.sessions.get("one")?.exchanges.map(({ url }) => url)).toEqual([
    `${upstream.url}/v1/chat/completions`,
  ]);
});

test("a path names the session and the provider", async () => {
  await using upstream = await echo();
  await using world = await captureWorld({ providers: { openai: `${upstream.url}/base` } });
  const answer = await ask({ port: world.port, path: "/s/one:t/openai/v1/responses", headers: json }, "{}");
  expect(JSON.parse(answer.text).url).toBe("/base/v1/responses");
  expect(await ask({ port: world.port, path: "/s/one:t/nobody/v1/responses" }, "{}")).toMatchObject({
    status: 404,
  });
  expect(await ask({ port: world.port, path: "/s/one:wrong/openai/v1/responses" }, "{}")).toMatchObject({
    status: 401,
  });
  expect(await ask({ port: world.port, path: "/v1/responses" }, "{}")).toMatchObject({ status: 404 });
});

test("a program in a sandbox that insists on its provider's host reaches the session's model", async () => {
  await using upstream = await echo();
  await using world = await captureWorld({ intercept: ["api.openai.com"] });
  const session = testSession("s", { upstream: upstreamAt(`${upstream.url}/v1`, "responses") });
  await using door = await openDoor(world.proxy, session);
  const socket = await secureThrough(door.port, "api.openai.com:443", "s", world.authority.certificate);
  const answer = await ask({ createConnection: () => socket, path: "/v1/responses", headers: json }, "{}");
  expect(JSON.parse(answer.text)).toMatchObject({
    url: "/v1/responses",
    headers: { authorization: "Bearer the-real-key-of-a-provider" },
  });
});

test("an upgrade to WebSockets is refused, so that clients speak HTTP", async () => {
  await using world = await captureWorld({ providers: { openai: "http://127.0.0.1:9" } });
  const headers = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
  };
  const answer = await ask({ port: world.port, path: "/s/one:t/openai/v1/responses", headers });
  expect(answer).toMatchObject({ status: 426 });
});

test("an upstream that is not there is a 502 that may be tried again, and is recorded", async () => {
  await using world = await captureWorld();
  const session = testSession("s", { upstream: upstreamAt("http://127.0.0.1:9/v1") });
  await using door = await openDoor(world.proxy, session);
  const answer = await ask({ port: door.port, path: "/v1/chat/completions", headers: json }, '{"model":"m"}');
  expect(answer.status).toBe(502);
  expect(JSON.parse(answer.text).error.message).toContain("127.0.0.1:9 could not be reached");
  await world.proxy.end(session);
  expect(session.exchanges).toMatchObject([
    { model: "m", error: expect.stringContaining("could not be reached") },
  ]);
  expect(session.exchanges[0]?.response).toMatchObject({ status: 502, body: JSON.parse(answer.text) });
});

test("a hundred clients at once are never mixed", async () => {
  await using upstream = await echo("api.example.com");
  await using world = await captureWorld({
    intercept: ["api.example.com"],
    routes: { "api.example.com": upstream.url },
    ca: [upstream.ca],
  });
  const names = Array.from({ length: 100 }, (_unused, index) => `client-${index}`);
  await Promise.all(
    names.map(async (name) => {
      const socket = await secureThrough(
        world.port,
        "api.example.com:443",
        name,
        world.authority.certificate,
      );
      const options = { createConnection: () => socket, path: "/v1/responses", headers: json };
      const answer = await ask(options, JSON.stringify({ input: name }));
      expect(JSON.parse(JSON.parse(answer.text).body)).toEqual({ input: name });
    }),
  );
  for (const name of names) {
    const session = world.sessions.get(name);
    await world.proxy.end(session as never);
    expect(session?.exchanges).toMatchObject([{ sessionId: name, request: { body: { input: name } } }]);
  }
});

test("what cannot be recorded is told, and the client does not notice", async () => {
  await using upstream = await echo();
  await using world = await captureWorld();
  const record = async (): Promise<void> => {
    throw new Error("the disk is full");
  };
  const session = testSession("s", { upstream: upstreamAt(`${upstream.url}/v1`), record });
  await using door = await openDoor(world.proxy, session);
  expect(await ask({ port: door.port, path: "/v1/chat/completions" }, "{}")).toMatchObject({ status: 200 });
  await world.proxy.end(session);
  expect(world.problems).toEqual([new Error("the disk is full")]);
});
