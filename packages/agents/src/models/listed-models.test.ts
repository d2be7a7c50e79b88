import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { awaitModels, type WaitOptions } from "./listed-models.ts";

type Said = { status: number; body: unknown };

/** A server whose looks say these, in their order, the last one for ever. */
async function serverOf(...says: readonly Said[]) {
  const asked: { path: string; key: unknown }[] = [];
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? "", key: request.headers.authorization });
    const { status, body } = says[Math.min(asked.length, says.length) - 1] ?? { status: 500, body: {} };
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function look(baseUrl: string, options: Partial<WaitOptions> = {}, key?: string) {
  const clock = fakeClock();
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const server = { protocol: "chat-completions" as const, baseUrl, headers };
  return { clock, found: awaitModels(server, { timeoutMs: 0, ...options }, { clock }) };
}

describe("the models of a server", () => {
  test.each([
    ["vLLM", { data: [{ id: "m", max_model_len: 32_768 }] }, { id: "m", contextLength: 32_768 }],
    ["llama.cpp", { data: [{ id: "m", meta: { n_ctx_train: 4_096 } }] }, { id: "m", contextLength: 4_096 }],
    ["OpenRouter", { data: [{ id: "m", context_length: 8 }] }, { id: "m", contextLength: 8 }],
    ["Together, a bare list", [{ id: "m", context_length: 8 }], { id: "m", contextLength: 8 }],
    ["Groq", { data: [{ id: "m", context_window: 8 }] }, { id: "m", contextLength: 8 }],
    ["OpenAI, which does not say", { data: [{ id: "m", context_length: "?" }] }, { id: "m" }],
  ])("are read with the length of their context, as %s says it", async (_, body, expected) => {
    await using server = await serverOf({ status: 200, body });
    expect(await look(server.baseUrl).found).toEqual([expected]);
    expect(server.asked[0]?.path).toBe("/v1/models");
  });

  test.each([
    ["has no such path", { status: 404, body: {} }],
    ["answers something else", { status: 200, body: { hello: "world" } }],
    ["answers a page", { status: 200, body: "<html></html>" }],
    ["does not allow it", { status: 405, body: {} }],
  ])("are unknown where the server %s", async (_, said) => {
    await using server = await serverOf(said);
    expect(await look(server.baseUrl).found).toBeUndefined();
  });

  test("are waited for while the server loads, and the user sees for what", async () => {
    const loading = { status: 503, body: { error: { message: "Loading model" } } };
    const up = { status: 200, body: { data: [{ id: "m" }] } };
    await using server = await serverOf(loading, loading, { status: 404, body: {} }, up);
    const seen: { reason: string; waitedMs: number }[] = [];
    const { found } = look(server.baseUrl, {
      timeoutMs: 600_000,
      onProgress: (waiting) => seen.push(waiting),
    });
    expect(await found).toEqual([{ id: "m" }]);
    expect(seen).toEqual([
      { reason: "HTTP 503: Loading model", waitedMs: 0 },
      { reason: "HTTP 503: Loading model", waitedMs: 2_000 },
      { reason: "HTTP 404", waitedMs: 4_000 },
    ]);
  });

  test("are given up when the wait is over, with what to do", async () => {
    const { clock, found } = look("http://127.0.0.1:9/v1", { timeoutMs: 5_000 });
    await expect(found).rejects.toMatchObject({
      code: "model-failed",
      retryable: true,
      message: expect.stringMatching(/127\.0\.0\.1:9.*ECONNREFUSED.*waited 4\.0 s.*longer wait/),
    });
    expect(clock.sleeps).toEqual([2_000, 2_000]);
  });

  test("are not waited for where the key is wrong, and no message holds it", async () => {
    await using server = await serverOf({ status: 401, body: { error: { message: "bad key sk-secret" } } });
    const { found } = look(server.baseUrl, { timeoutMs: 600_000 }, "sk-secret");
    await expect(found).rejects.toMatchObject({
      code: "unauthorized",
      message: expect.stringMatching(/HTTP 401: bad key \*\*\*.*another key/),
    });
    expect(server.asked).toEqual([{ path: "/v1/models", key: "Bearer sk-secret" }]);
  });

  test("are not waited for by somebody who has stopped", async () => {
    const stopping = new AbortController();
    const { found } = look("http://127.0.0.1:9/v1", {
      timeoutMs: 600_000,
      signal: stopping.signal,
      onProgress: () => stopping.abort(new Error("enough")),
    });
    await expect(found).rejects.toThrow("enough");
  });
});
