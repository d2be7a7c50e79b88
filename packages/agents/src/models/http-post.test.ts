import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { getFrom, modelConnections } from "./http-post.ts";

async function serving(text: string): Promise<Server & { port: number }> {
  const server = createServer((_, response) => void response.end(text)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
}

async function textAt(address: string, proxies: Record<string, string>): Promise<string> {
  const connections = modelConnections(proxies);
  const signal = AbortSignal.timeout(5_000);
  const limits = { headers: {}, timeoutMs: 5_000, idleMs: 5_000, signal, connections };
  const { body } = await getFrom(new URL(address), limits);
  const text = Buffer.concat(await Array.fromAsync(body)).toString("utf8");
  connections.http.destroy();
  return text;
}

test("a proxy is asked for what is elsewhere, never for this machine", async () => {
  await using proxy = await serving("by proxy");
  await using server = await serving("straight");
  const url = `http://127.0.0.1:${proxy.port}`;
  const here = `http://127.0.0.1:${server.port}/v1/models`;
  expect(await textAt("http://models.acme.test/v1/models", { HTTP_PROXY: url })).toBe("by proxy");
  expect(await textAt(here, { HTTP_PROXY: url })).toBe("straight");
  expect(await textAt(here, { HTTP_PROXY: url, NO_PROXY: "acme.test" })).toBe("straight");
  expect(await textAt(`http://localhost:${server.port}/`, { HTTP_PROXY: url, NO_PROXY: "*" })).toBe(
    "straight",
  );
});

test("a proxy may be named without http://", async () => {
  await using proxy = await serving("by proxy");
  const proxies = { HTTP_PROXY: `127.0.0.1:${proxy.port}` };
  expect(await textAt("http://models.acme.test/v1/models", proxies)).toBe("by proxy");
});
