import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { exportDataset } from "@tracemill/core/dataset/export.ts";
import { ExportSpec } from "@tracemill/core/run/export-spec.ts";
import type { Outcome } from "@tracemill/core/run/outcome.ts";
import { duckdbParquet } from "@tracemill/local/duckdb-parquet.ts";
import { describe, expect, test } from "vitest";
import { startServer } from "../emulators/server-process.ts";
import { datasetRows } from "../fakes/exported.ts";
import { exception, type HarborTrial, terminusTrajectory, writeHarborJob } from "../fakes/harbor-job.ts";
import { exportTo, finishedRun, importAll, newStores, type Stores } from "../fakes/harbor-runs.ts";
import { fixtureOutcome } from "../fakes/run-fixture.ts";
import { tempDir } from "../fakes/temp-dir.ts";
import { findHarbor } from "./harbor/harbor-program.ts";

const run = promisify(execFile);
const harbor = await findHarbor();
const missing = harbor === undefined ? " (needs Harbor 0.24 or newer on the PATH: pip install harbor)" : "";

interface Row {
  run_id: string;
  trial_name: string;
  [key: string]: unknown;
}

interface Seen {
  locks: number;
  /** What Harbor computes from the trials, and what the job folder says. */
  stats: unknown;
  written: unknown;
  rows: Row[];
}

/** A job folder as Harbor's own models read it. */
async function readWithHarbor(dir: string): Promise<Seen> {
  const script = join(import.meta.dirname, "harbor/read-job.py");
  const { stdout } = await run(harbor?.python ?? "", [script, dir], {
    env: { ...process.env, ...harbor?.env },
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout) as Seen;
}

/**
 * The same with every list of trial names sorted (Harbor has them as trials ended) and rewards as keys in one way: it
 * writes `1.0` for a number of `reward.txt`, and `1` for one that JSON gave.
 */
function sorted(value: unknown): unknown {
  if (Array.isArray(value))
    return value.every((each) => typeof each === "string") ? value.toSorted() : value.map(sorted);
  if (typeof value === "number") return Number(value.toPrecision(12));
  if (typeof value !== "object" || value === null) return value;
  const plain = (key: string): string => (/^-?\d+\.0$/.test(key) ? key.slice(0, -2) : key);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [plain(key), sorted(each)]));
}

async function view(
  jobsDir: string,
): Promise<{ get(path: string): Promise<unknown>; close(): Promise<void> }> {
  const server = await startServer({
    command: harbor?.command ?? "",
    args: (port) => ["view", jobsDir, "--jobs", "--no-build", "--host", "127.0.0.1", "--port", String(port)],
    env: harbor?.env ?? {},
    health: "/api/health",
  });
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`${server.endpoint}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return { get, close: server.close };
}

/**
 * Rows as both write them. Harbor names run and trial in its own way, and counts episodes over all files of a chain of
 * continuations, where ours counts within its last.
 */
function comparable(rows: readonly Row[]): unknown[] {
  const keys = ["conversations", "agent", "model", "model_provider", "date", "task", "result"] as const;
  return rows
    .map((row) => JSON.stringify([...keys.map((key) => row[key] ?? null), row.verifier_output ?? null]))
    .sort();
}

async function ownRows(runId: string, dir: string, stores: Stores): Promise<Row[]> {
  const spec = ExportSpec.parse({ name: "rows", formats: ["harbor"], dedupe: false });
  const deps = { ...stores, parquet: duckdbParquet(join(dir, "tmp")) };
  const manifest = await exportDataset({ runId, spec, runSpec: { name: "r" } }, deps);
  return (await datasetRows(stores.objects, manifest, "harbor")) as Row[];
}

describe.skipIf(harbor === undefined)(`a run as Harbor sees it${missing}`, () => {
  test("has files that its models read, and the statistics that it computes itself", async () => {
    await using dir = await tempDir();
    const stores = newStores();
    const outcomes: Outcome[] = [
      { kind: "cancelled", reason: "stopped on request" },
      { kind: "scored", rewards: { reward: 1 } },
    ];
    const runId = await finishedRun(stores, (index) => outcomes[index] ?? fixtureOutcome(index));
    await exportTo(dir.path, runId, stores);
    const seen = await readWithHarbor(join(dir.path, "job"));
    expect(seen.locks).toBe(20);
    expect(sorted(seen.written)).toEqual(sorted(seen.stats));
  });

  test("has pass@k where every trial has one reward of 0 or 1", async () => {
    await using dir = await tempDir();
    const trials: HarborTrial[] = Array.from({ length: 11 }, (_, index) => ({
      name: `words__${String(index).padStart(7, "a")}`,
      task: `words-${index % 2}`,
      result:
        index === 4
          ? { verifier_result: null }
          : { verifier_result: { rewards: { reward: index % 3 === 0 ? 1 : 0 } } },
    }));
    const stores = newStores();
    const { runId } = await importAll(await writeHarborJob(dir.path, "original", trials), stores);
    await exportTo(dir.path, runId, stores);
    const seen = await readWithHarbor(join(dir.path, "job"));
    expect(sorted(seen.written)).toEqual(sorted(seen.stats));
    expect(seen.written).toHaveProperty(["evals", "terminus-2__gpt-test__adhoc", "pass_at_k", "5"]);
  });

  test("gives the export rows that our own format `harbor` has", async () => {
    await using dir = await tempDir();
    const chained = {
      "agent/trajectory.json": terminusTrajectory("first", {
        continued_trajectory_ref: "trajectory.cont-1.json",
      }),
      "agent/trajectory.cont-1.json": terminusTrajectory("second"),
      "verifier/test-stdout.txt": "1 passed\n",
    };
    const files = { "agent/trajectory.json": terminusTrajectory("</think>I look.") };
    const trials: HarborTrial[] = [
      { name: "sort-words__aaaaaaa", files },
      {
        name: "sort-words__bbbbbbb",
        files: chained,
        result: { verifier_result: { rewards: { reward: 0.5 } } },
      },
      { name: "sort-words__ccccccc", result: { verifier_result: null, ...exception("ApiError", "500") } },
    ];
    const job = await writeHarborJob(dir.path, "original", trials);
    const original = await readWithHarbor(job);
    const stores = newStores();
    const { runId } = await importAll(job, stores);
    await exportTo(dir.path, runId, stores);
    const again = await readWithHarbor(join(dir.path, "job"));
    const own = await ownRows(runId, dir.path, stores);
    expect(own).toHaveLength(2);
    expect(comparable(again.rows)).toEqual(comparable(own));
    expect(own.map(({ episode }) => episode)).toEqual(["episode-1", "episode-1"]);
    expect(again.rows.map(({ episode }) => episode).sort()).toEqual(["episode-1", "episode-3"]);
    const undated = (rows: Row[]) => comparable(rows.map((row) => ({ ...row, date: null })));
    expect(undated(again.rows)).toEqual(undated(original.rows));
  });

  test("opens in its viewer: jobs, trials, trajectory and what the verifier printed", async () => {
    await using dir = await tempDir();
    const stores = newStores();
    const runId = await finishedRun(stores);
    await exportTo(dir.path, runId, stores);
    const viewer = await view(dir.path);
    try {
      expect(await viewer.get("/api/jobs")).toMatchObject({
        items: [{ name: "job", n_completed_trials: 20 }],
      });
      const { items } = (await viewer.get("/api/jobs/job/trials")) as {
        items: { name: string; reward: number | null }[];
      };
      expect(items).toHaveLength(20);
      const name = items[0]?.name ?? "";
      const trajectory = await viewer.get(`/api/jobs/job/trials/${name}/trajectory`);
      const stored = await readFile(join(dir.path, "job", name, "agent/trajectory.json"), "utf8");
      expect(trajectory).toMatchObject({ steps: (JSON.parse(stored) as { steps: unknown[] }).steps });
      expect(await viewer.get(`/api/jobs/job/trials/${name}`)).toMatchObject({ trial_name: name });
      await viewer.get(`/api/jobs/job/trials/${name}/verifier-output`);
      await viewer.get(`/api/jobs/job/trials/${name}/artifacts`);
    } finally {
      await viewer.close();
    }
  });
});
