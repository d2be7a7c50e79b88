import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { RateLimiter } from "@tracemill/core/models/rate-limiter.ts";
import { expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { bedrockModel, bedrockRuntimeClient, sharedClient } from "./bedrock.ts";

test("models of one region share a client, and so its credentials", () => {
  const [a, b, c] = ["us-east-1", "us-east-1", "eu-west-1"].map(sharedClient);
  expect(a).toBe(b);
  expect(c).not.toBe(a);
});

test("many answers come at once by one client", async () => {
  let asked = 0;
  await using server = createServer(() => {
    asked += 1;
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "secret" };
  const client = bedrockRuntimeClient({ region: "us-east-1", endpoint, credentials });
  const clock = fakeClock();
  const deps = { clock, random: () => 1, limiter: new RateLimiter({}, clock) };
  const model = bedrockModel({ model: "m", label: "bedrock/m", settings: {} }, deps, client);
  const stopping = new AbortController();
  const { signal } = stopping;
  const asking = Array.from({ length: 80 }, () =>
    model.complete({ messages: [{ role: "user", content: "Hello" }], tools: [], signal }),
  );
  const all = Promise.allSettled(asking);
  await expect.poll(() => asked, { timeout: 10_000 }).toBe(80);
  stopping.abort();
  await all;
});
