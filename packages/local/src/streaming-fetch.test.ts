import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { streamingFetch } from "./streaming-fetch.ts";

test("sends a form that arrives whole, with its headers, and gives the answer", async () => {
  await using server = await serve(async (request, response) => {
    const type = request.headers["content-type"] ?? "";
    const form = await new Response(new Uint8Array(await buffer(request)), {
      headers: { "content-type": type },
    }).formData();
    const file = form.get("artifact") as File;
    response.writeHead(201, { "x-seen": String(request.headers["idempotency-key"]) });
    response.end(JSON.stringify([form.get("nonce"), file.name, file.size]));
  });
  const headers = { "idempotency-key": "k" };
  const response = await streamingFetch(server.url, { method: "POST", headers, body: formOf(5_000_000) });
  expect([response.status, response.headers.get("x-seen")]).toEqual([201, "k"]);
  expect(await response.json()).toEqual(["n", "big", 5_000_000]);
});

test("takes an answer that comes before all is sent", async () => {
  await using server = await serve(
    (_, response) => void response.writeHead(413).end('{"error": "too large"}'),
  );
  const response = await streamingFetch(server.url, { method: "POST", body: formOf(50_000_000) });
  expect([response.status, await response.json()]).toEqual([413, { error: "too large" }]);
});

test("fails when the connection is cut, and when it is told to stop", async () => {
  await using server = await serve((request) => void request.once("data", () => request.destroy()));
  await expect(streamingFetch(server.url, { method: "POST", body: formOf(50_000_000) })).rejects.toThrow();
  await using silent = await serve((request) => void request.resume());
  const signal = AbortSignal.timeout(30);
  await expect(streamingFetch(silent.url, { method: "POST", body: formOf(10), signal })).rejects.toThrow();
});

test("is Node's own fetch for everything else", async () => {
  await using server = await serve((request, response) => void response.end(request.method));
  expect(await (await streamingFetch(server.url)).text()).toBe("GET");
});

function formOf(bytes: number): FormData {
  const form = new FormData();
  form.set("nonce", "n");
  form.append("artifact", new Blob([Buffer.alloc(bytes, 1)]), "big");
  return form;
}

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
