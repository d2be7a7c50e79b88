import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { fakeClock } from "../../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../../test/fakes/memory-stores.ts";
import { startProductionApi } from "../../../../../test/servers/production-api.ts";
import { testToken } from "../../../../../test/servers/production-client.ts";
import { TracemillError } from "../../errors.ts";
import { sha256Hex } from "../../ids.ts";
import { createProductionClient } from "../client.ts";
import { readSnapshotRows } from "../manifest.ts";
import { ingestSnapshot } from "../snapshot.ts";
import { writeLines } from "../write-lines.ts";
import { clearSpools } from "./spool.ts";

/** A server whose n-th answer is what `answers[n]` writes, the last one from then on. */
async function startServer(answers: readonly ((response: ServerResponse) => void)[]) {
  let requests = 0;
  const server = createServer((_request, response) => {
    answers[Math.min(requests, answers.length - 1)]?.(response);
    requests += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/api`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const image = Buffer.alloc(9_000_000, "screenshot");
const solution = JSON.stringify({
  id: "s1",
  steps: [{ image: `data:image/png;base64,${image.toString("base64")}` }],
});

function clientOf(baseUrl: string, options: { timeoutMs?: number } = {}) {
  const objects = memoryObjectStore();
  const artifacts = { objects, source: "prod" };
  const deps = { fetch, clock: fakeClock(), random: () => 0.5, artifacts };
  const client = createProductionClient({ baseUrl, token: testToken, ...options }, deps);
  return {
    client,
    objects,
    artifacts,
    keys: async () => (await Array.fromAsync(objects.list(""))).map(({ key }) => key),
  };
}

test("a connection cut in the middle of a long answer is tried again, and leaves no half of anything", async () => {
  await using server = await startServer([
    (response) => response.write(solution.slice(0, 8_000_000), () => response.destroy()),
    (response) => response.end(solution.slice(0, 7_000_000)),
    (response) => response.end(solution),
  ]);
  const { client, keys } = clientOf(server.url);
  const reference = `artifact:${sha256Hex(image)};image/png`;
  expect(await client.solution("s1")).toEqual({ id: "s1", steps: [{ image: reference }] });
  expect(client.stats).toEqual({ requests: 3, retries: 2 });
  expect(await keys()).toEqual([`artifacts/${sha256Hex(image)}`]);
});

test("a store that fails is not taken for a server that does", async () => {
  await using server = await startServer([(response) => response.end(solution)]);
  const { client, objects } = clientOf(server.url);

  objects.put = () => Promise.reject(new TracemillError("storage-full", "the disk is full"));
  await expect(client.solution("s1")).rejects.toMatchObject({ code: "storage-full" });
  expect(client.stats).toEqual({ requests: 1, retries: 0 });
});

test("an answer that nests too deep is not asked for again", async () => {
  await using server = await startServer([
    (response) => response.end(`{"id":1,"a":${"[".repeat(600)}${"]".repeat(600)}}`),
  ]);
  const { client } = clientOf(server.url);
  await expect(client.solution("1")).rejects.toMatchObject({
    code: "source-protocol",
    message: "GET /api/solutions/1: the answer nests more than 500 levels deep",
  });
  expect(client.stats.requests).toBe(1);
});

test("what a killed ingest left under construction goes, and nothing of another source", async () => {
  const { objects, artifacts, keys } = clientOf("http://127.0.0.1:1");
  for (const key of ["spool/prod/a", "spool/prod/b", "spool/prod2/c", "artifacts/d"])
    await objects.put(key, Buffer.from("x"));
  await clearSpools(artifacts);
  expect(await keys()).toEqual(["artifacts/d", "spool/prod2/c"]);
});

test("a screenshot of many solutions is stored once, and stays inline in a file", async () => {
  const url = `data:image/png;base64,${Buffer.alloc(6_000, "pixels").toString("base64")}`;
  const stepsOf = (id: string) => ({ id, steps: [{ message: "See.", screenshot: url }] });
  await using api = await startProductionApi({
    tasks: [
      { id: "t1", prompt: "Look.", picture: url },
      { id: "t2", prompt: "Look again." },
    ],
    solutions: { t1: [stepsOf("s1"), stepsOf("s2")], t2: [stepsOf("s3")] },
  });
  const objects = memoryObjectStore();
  const records = memoryRecordStore();
  const deps = { fetch, clock: fakeClock(), random: () => 0.5, token: testToken };
  const { snapshotId } = await ingestSnapshot({ baseUrl: api.url }, { ...deps, objects, records });
  const rows = await Array.fromAsync(readSnapshotRows(objects, "prod", snapshotId));
  const reference = `artifact:${sha256Hex(Buffer.alloc(6_000, "pixels"))};image/png`;
  expect(JSON.stringify(rows).split(reference)).toHaveLength(5);
  expect(await Array.fromAsync(objects.list("artifacts/"))).toEqual([
    { key: `artifacts/${sha256Hex(Buffer.alloc(6_000, "pixels"))}`, size: 6_000 },
  ]);

  const lines: string[] = [];
  const write = async (line: string) => void lines.push(line);
  await writeLines(
    { baseUrl: api.url },
    { ...deps, write, reject: () => Promise.reject(new Error("rejected")) },
  );
  expect(lines.join("").split(url)).toHaveLength(5);
});
