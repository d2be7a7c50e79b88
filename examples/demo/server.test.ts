import { existsSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSnapshotRows, type SnapshotManifest } from "@tracemill/core/ingest/manifest.ts";
import { ingestSnapshot } from "@tracemill/core/ingest/snapshot.ts";
import { prepareSnapshot } from "@tracemill/core/prepare/prepare.ts";
import type { RawRow } from "@tracemill/core/production/schemas.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../test/fakes/clock.ts";
import { memoryObjectStore, memoryRecordStore } from "../../test/fakes/memory-stores.ts";
import { readContent } from "./content.ts";
import { type DemoApi, startDemoApi } from "./server.ts";

const token = "demo-token";

async function using<T>(options: { rollouts?: string }, work: (api: DemoApi) => Promise<T>): Promise<T> {
  const api = await startDemoApi({ token, ...options });
  try {
    return await work(api);
  } finally {
    await api.close();
  }
}

async function ingested(api: DemoApi, statuses = ["done"]) {
  const objects = memoryObjectStore();
  const deps = { objects, records: memoryRecordStore(), fetch, clock: fakeClock(), random: () => 0.5, token };
  const manifest = await ingestSnapshot({ baseUrl: api.url, statuses, includeEmpty: true }, deps);
  const rows = await Array.fromAsync(readSnapshotRows(objects, manifest.source, manifest.snapshotId));
  return { manifest, rows, objects };
}

function problemsOf({
  manifest,
  objects,
}: {
  manifest: SnapshotManifest;
  objects: ReturnType<typeof memoryObjectStore>;
}) {
  const { source, snapshotId } = manifest;
  return prepareSnapshot({ source, snapshotId }, { objects, clock: fakeClock() });
}

describe("the demo's production API", () => {
  test("is mirrored whole, whatever its pages, its nonce and its bad moments", async () => {
    const { manifest, rows } = await using({}, (api) => ingested(api));
    const done = (await readContent()).filter(({ status }) => status === "done");
    expect(rows.map(({ task }) => task.id)).toEqual(done.map(({ id }) => id));
    expect(rows.flatMap(({ solutions }) => solutions.map(({ id }) => id))).toEqual(
      done.flatMap(({ solutions }) => solutions.map(({ id }) => id)),
    );
    expect(manifest.counts).toMatchObject({ duplicates: 1, rejects: 0, retries: 3 });
  });

  test("keeps unfinished tasks under their own statuses", async () => {
    const { rows } = await using({}, (api) => ingested(api, ["in_progress", "partial", "cancelled"]));
    expect(rows.map(({ task }) => task.status)).toEqual(["in_progress", "partial", "cancelled"]);
  });

  test("refuses strangers, writers and unknown paths", async () => {
    await using({}, async ({ url }) => {
      const authorization = `Bearer ${token}`;
      expect((await fetch(`${url}/tasks`)).status).toBe(401);
      expect((await fetch(`${url}/tasks`, { headers: { authorization: "Bearer demo" } })).status).toBe(401);
      expect((await fetch(`${url}/tasks`, { headers: { authorization }, method: "POST" })).status).toBe(405);
      const asked = await fetch(`${url}/tasks`, { headers: { authorization } });
      const { error } = (await asked.json()) as { error: { code: string; nonce: string } };
      expect(error.code).toBe("nonce_required");
      for (const path of ["/tasks/none", "/tasks/none/solutions", "/other"]) {
        expect(
          (await fetch(`${url}${path}?nonce=${error.nonce}`, { headers: { authorization } })).status,
        ).toBe(404);
      }
    });
  });
});

const request = { input: [{ role: "user", content: "2 + 2?" }] };
const response = {
  model: "m",
  output: [{ type: "message", role: "assistant", content: "4" }],
  expected_answer: "4",
};

async function rolloutRows(lines: readonly string[]): Promise<RawRow[]> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-rollouts-"));
  try {
    await writeFile(join(dir, "sums.jsonl"), lines.join("\n"));
    return await using({ rollouts: dir }, async (api) => (await ingested(api)).rows);
  } finally {
    await rm(dir, { recursive: true });
  }
}

describe("a folder of rollouts", () => {
  test("is served as tasks with one evaluated solution each", async () => {
    const row = { responses_create_params: request, response, reward: 1, agent_ref: { name: "adder" } };
    const [first, second, third] = await rolloutRows(
      [row, { ...row, reward: 0.25 }, { ...row, responses_create_params: { input: "Hi" }, reward: 0 }].map(
        (each) => JSON.stringify(each),
      ),
    );
    expect(first?.task).toMatchObject({ id: "sums-0", kind: "qa", prompt: "2 + 2?", expected_answer: "4" });
    expect(first?.solutions).toMatchObject([
      { agent: "adder", model: "m", response, evaluation: { status: "passed", score: 1 } },
    ]);
    expect(second?.solutions[0]?.evaluation).toEqual({ status: "partial", score: 0.25 });
    expect(third?.solutions[0]?.evaluation?.status).toBe("failed");
    expect(second?.task.group).toBe(first?.task.group);
    expect(third?.task.group).not.toBe(first?.task.group);
  });

  test("is served with its bad lines, and preparing says what is wrong with them", async () => {
    const dir = await mkdtemp(join(tmpdir(), "tracemill-rollouts-"));
    const good = JSON.stringify({ responses_create_params: request, response });
    const bad = [
      "{oops",
      "[1]",
      "null",
      "{}",
      JSON.stringify({ responses_create_params: 3, response: { output: 1 }, reward: "1" }),
    ];
    await writeFile(join(dir, "mixed.jsonl"), [...bad, "", good].join("\n"));
    const prepared = await using({ rollouts: dir }, async (api) => problemsOf(await ingested(api)));
    await rm(dir, { recursive: true });
    expect(prepared.counts).toEqual({ rows: 6, harbor: 0, scenario: 1, references: 1 });
    expect(prepared.problems).toHaveLength(5);
  });

  const recorded = "../shared/data/rollouts";
  test.skipIf(!existsSync(recorded))("serves real rollouts of every kind without loss", async () => {
    const dir = await mkdtemp(join(tmpdir(), "tracemill-rollouts-"));
    await cp(recorded, dir, { recursive: true });
    const mirrored = await using({ rollouts: dir }, (api) => ingested(api));
    const prepared = await problemsOf(mirrored);
    await rm(dir, { recursive: true });
    const { rows, scenario, references } = prepared.counts;
    expect(prepared.problems).toEqual([]);
    expect([scenario, references]).toEqual([rows, rows]);
    expect(mirrored.rows.filter(({ task }) => task.expected_answer != null)).toHaveLength(5);
  });
});
