import { zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../../../test/fakes/memory-stores.ts";
import { objectKeys } from "../keys.ts";
import { latestSnapshot, readManifest, readSnapshotRows } from "./manifest.ts";
import { ingestSnapshot } from "./snapshot.ts";

const pages: Record<string, unknown> = {
  "/tasks": { results: [{ id: "a", prompt: "p" }], total: 1 },
  "/tasks/a/solutions": { results: [{ id: "s", steps: [] }], total: 1 },
};

async function stored() {
  const objects = memoryObjectStore();
  const records = memoryRecordStore();
  const answer: typeof fetch = async (url) => Response.json(pages[new URL(String(url)).pathname]);
  const deps = { objects, records, clock: fakeClock(), random: () => 0.5, fetch: answer, token: "t" };
  const manifest = await ingestSnapshot({ baseUrl: "http://api.test" }, deps);
  const read = () => Array.fromAsync(readSnapshotRows(objects, "prod", manifest.snapshotId));
  return { objects, records, manifest, read, part: manifest.parts[0]?.key ?? "" };
}

describe("readSnapshotRows", () => {
  test("gives the rows", async () => {
    expect(await (await stored()).read()).toMatchObject([{ task: { id: "a" }, solutions: [{ id: "s" }] }]);
  });

  test("says so when there is no such snapshot", async () => {
    const rows = Array.fromAsync(readSnapshotRows(memoryObjectStore(), "prod", "snap_x"));
    await expect(rows).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("tracemill ingest"),
    });
  });

  test.each([
    ["missing", undefined, /part-00000.* is missing/],
    ["not zstd", Buffer.from("rubbish"), /does not decompress/],
    [
      "of another content",
      zstdCompressSync(Buffer.from('{"task":{"id":"a"},"solutions":[],"fetched_at":"x"}\n')),
      /SHA-256/,
    ],
    [
      "holding no row",
      zstdCompressSync(Buffer.from('{"task":{}}\n')),
      /part-00000\.jsonl\.zst line 1: `task\.id`/,
    ],
    ["holding no JSON", zstdCompressSync(Buffer.from("{\n")), /line 1 is not JSON/],
  ])("a part that is %s is an error that names it", async (_name, body, message) => {
    const { objects, read, part } = await stored();
    await objects.delete(part);
    if (body !== undefined) await objects.put(part, body);
    await expect(read()).rejects.toMatchObject({
      code: "storage-corrupt",
      message: expect.stringMatching(message),
    });
  });
});

test("a manifest that is damaged is an error that names it", async () => {
  const { objects, manifest } = await stored();
  const key = objectKeys.snapshotManifest("prod", manifest.snapshotId);
  for (const damaged of ["{", JSON.stringify({ ...manifest, parts: 3 })]) {
    await objects.put(key, Buffer.from(damaged));
    await expect(readManifest(objects, "prod", manifest.snapshotId)).rejects.toMatchObject({
      code: "storage-corrupt",
      message: expect.stringContaining(key),
    });
  }
});

test("a source that was never ingested has no newest snapshot", async () => {
  const { records, manifest } = await stored();
  expect(await latestSnapshot(records, "prod")).toBe(manifest.snapshotId);
  expect(await latestSnapshot(records, "other")).toBeUndefined();
});
