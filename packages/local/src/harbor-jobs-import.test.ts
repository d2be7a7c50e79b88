import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readHarborTask } from "@tracemill/core/harbor/task.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { readPlan } from "@tracemill/core/pipeline/plan-run.ts";
import { readRun, readRunSpec } from "@tracemill/core/run/runs.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  exception,
  type HarborTrial,
  terminusTrajectory,
  writeHarborJob,
} from "../../../test/fakes/harbor-job.ts";
import { contents, importAll, newStores, trialsOf, workspaceOf } from "../../../test/fakes/harbor-runs.ts";
import { type TempDir, tempDir } from "../../../test/fakes/temp-dir.ts";
import { findJobFolders } from "./harbor-jobs-read.ts";
import { readTaskFolder } from "./task-folder.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

const mixed: HarborTrial[] = [
  {
    name: "sort-words__aaaaaaa",
    files: {
      "agent/trajectory.json": terminusTrajectory("I look."),
      "agent/terminus.log": "native",
      "verifier/test-stdout.txt": "1 passed\n",
      "verifier/reward.txt": "1.0",
      "verifier/ctrf.json": "{}",
      "artifacts/app/out.txt": "words",
      "artifacts/manifest.json": "[]",
    },
  },
  {
    name: "sort-words__bbbbbbb",
    result: { verifier_result: { rewards: { reward: 0 } }, ...exception("AgentTimeoutError", "late") },
  },
  {
    name: "sort-words__ccccccc",
    result: { verifier_result: null, ...exception("SandboxBuildFailedError", "no image") },
  },
  {
    name: "count-words__ddddddd",
    task: "count-words",
    result: { verifier_result: null, ...exception("ApiRateLimitError", "429") },
  },
];

describe("import of a job folder", () => {
  test("is a run with its trials, outcomes, rewards, trajectory, output and files", async () => {
    const path = await writeHarborJob(dir.path, "nightly", mixed);
    const stores = newStores();
    const report = await importAll(path, stores);
    expect(report).toMatchObject({
      trials: { imported: 4, known: 0, unfinished: 0, broken: 0 },
      outcomes: { scored: 1, "agent-failed": 1, "environment-failed": 1, "model-failed": 1 },
      tasks: { absent: 4 },
      trajectories: 1,
      problems: [],
    });
    expect(await readRun(report.runId, stores.records)).toMatchObject({
      name: "nightly",
      status: "finished",
    });
    expect(await readRunSpec(report.runId, stores.objects)).toMatchObject({
      attempts: 2,
      agents: [{ name: "terminus-2", model: "openai/gpt-test" }],
    });
    const trials = await trialsOf(report.runId, stores);
    const byOutcome = new Map(trials.map((each) => [each.result.outcome.kind, each]));
    expect(byOutcome.get("scored")?.result).toMatchObject({
      usage: { promptTokens: 100, completionTokens: 20, cachedTokens: 60, costUsd: 0.25 },
      timings: { environmentMs: 5_000, agentMs: 19_000, verifierMs: 9_000 },
      verifications: [{ stdout: "1 passed\n" }],
    });
    expect(byOutcome.get("scored")?.trajectory).toEqual(terminusTrajectory("I look."));
    expect(await workspaceOf(byOutcome.get("scored")?.result.objects.artifacts, stores)).toEqual({
      "app/out.txt": "words",
      "logs/agent/terminus.log": "native",
      "logs/harbor/trial.log": "Trial started\n",
      "logs/verifier/ctrf.json": "{}",
    });
    expect(trials.map(({ trial }) => [trial.task.name, trial.sample])).toEqual([
      ["count-words", 0],
      ["sort-words", 0],
      ["sort-words", 1],
      ["sort-words", 2],
    ]);
    expect(await stores.objects.head(objectKeys.runResults(report.runId))).toBeDefined();
  });

  test("done twice changes nothing; a job that grew adds its new trials alone", async () => {
    const path = await writeHarborJob(dir.path, "nightly", mixed.slice(0, 2), { finished: false });
    await mkdir(join(path, "sort-words__running"));
    await writeFile(join(path, "sort-words__running/config.json"), "{}");
    const stores = newStores();
    const first = await importAll(path, stores);
    expect(first.trials).toEqual({ imported: 2, known: 0, unfinished: 1, broken: 0 });
    expect(await readRun(first.runId, stores.records)).toMatchObject({ status: "stopped" });
    const before = await contents(first.runId, stores);
    expect((await importAll(path, stores)).trials).toMatchObject({ imported: 0, known: 2 });
    expect(await contents(first.runId, stores)).toEqual(before);

    await rm(join(path, "sort-words__running"), { recursive: true });
    await writeHarborJob(dir.path, "nightly", mixed);
    const grown = await importAll(path, stores);
    expect(grown).toMatchObject({ runId: first.runId, trials: { imported: 2, known: 2, unfinished: 0 } });
    expect(await readPlan(first.runId, stores.objects)).toMatchObject({ tasks: 2, trials: 4 });
    expect(await readRun(first.runId, stores.records)).toMatchObject({ status: "finished" });
    const samples = (await trialsOf(first.runId, stores)).map(
      ({ trial }) => `${trial.task.name} ${trial.sample}`,
    );
    expect(new Set(samples).size).toBe(4);
    const after = await contents(first.runId, stores);
    expect(
      Object.entries(before).filter(([key, value]) => key.includes("/trials/") && after[key] !== value),
    ).toEqual([]);
  });

  test("that was stopped is finished by the same call, and comes out as if it never was", async () => {
    const many = Array.from({ length: 30 }, (_, i) => ({
      name: `sort-words__a${String(i).padStart(6, "0")}`,
    }));
    const path = await writeHarborJob(dir.path, "nightly", many);
    const stopping = new AbortController();
    const stores = newStores();
    const put = stores.objects.putIfAbsent;
    let puts = 0;
    stores.objects.putIfAbsent = (key, body) => {
      puts += 1;
      if (puts === 12) stopping.abort();
      return put(key, body);
    };
    await expect(importAll(path, stores, { signal: stopping.signal })).rejects.toMatchObject({
      code: "cancelled",
    });
    const { runId } = await importAll(path, stores);
    const fresh = newStores();
    await importAll(path, fresh);
    expect(await contents(runId, stores)).toEqual(await contents(runId, fresh));
    expect((await readPlan(runId, stores.objects)).trials).toBe(30);
  });

  test("counts and names what is broken, and takes the rest", async () => {
    const path = await writeHarborJob(dir.path, "nightly", mixed.slice(0, 1));
    const broken = {
      half: '{"id": "x", "task_na',
      list: "[]",
      empty: "",
      nameless: '{"agent_info": {"name": "x"}}',
    };
    for (const [name, text] of Object.entries(broken)) {
      await mkdir(join(path, `${name}__1234567`));
      await writeFile(join(path, `${name}__1234567/result.json`), text);
    }
    const report = await importAll(path, newStores());
    expect(report.trials).toEqual({ imported: 1, known: 0, unfinished: 0, broken: 4 });
    expect(report.problems.map(({ where }) => where)).toEqual([
      "empty__1234567",
      "half__1234567",
      "list__1234567",
      "nameless__1234567",
    ]);
    expect(report.problems[1]?.reason).toContain("result.json: not whole JSON");
    expect(report.problems[3]?.reason).toContain("`task_name`: is missing");
  });

  test("takes a trial without a trajectory that nests without end, and none whose result does", async () => {
    const nested = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
    const steps = `[{"step_id": 1, "source": "user", "message": "m", "extra": {"a": ${nested}}}]`;
    const agent = '{"name": "a", "version": "1"}';
    const text = `{"schema_version": "ATIF-v1.4", "session_id": "s", "agent": ${agent}, "steps": ${steps}}`;
    const files = { "agent/trajectory.json": text };
    const path = await writeHarborJob(dir.path, "nightly", [{ name: "sort-words__aaaaaaa", files }]);
    await mkdir(join(path, "sort-words__bbbbbbb"));
    await writeFile(join(path, "sort-words__bbbbbbb/result.json"), `{"task_name": ${nested}}`);
    const report = await importAll(path, newStores());
    expect(report).toMatchObject({ trials: { imported: 1, broken: 1 }, trajectories: 0 });
    expect(report.problems.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^result\.json: .*nests more than 500 levels deep/),
      expect.stringMatching(/^agent\/trajectory\.json: .*nests more than 500 levels deep/),
    ]);
  });

  test("refuses links, names that mean a deletion and a trajectory that is none; the trial keeps its reward", async () => {
    const files = { "agent/trajectory.json": '{"steps": []}', "artifacts/.wh.x": "", "artifacts/ok": "1" };
    const path = await writeHarborJob(dir.path, "nightly", [{ name: "sort-words__aaaaaaa", files }]);
    await writeFile(join(dir.path, "secret"), "secret");
    await symlink(join(dir.path, "secret"), join(path, "sort-words__aaaaaaa/artifacts/link"));
    await symlink(dir.path, join(path, "sort-words__aaaaaaa/verifier"));
    const stores = newStores();
    const dry = await importAll(path, stores, { dryRun: true });
    expect((await Array.fromAsync(stores.objects.list(""))).length).toBe(0);
    const report = await importAll(path, stores);
    expect(report).toEqual(dry);
    expect(report).toMatchObject({ outcomes: { scored: 1 }, trajectories: 0, filesLeft: 2 });
    expect(report.problems.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("agent/trajectory.json: `agent`: is missing"),
      expect.stringContaining("artifacts/.wh.x: left out"),
      expect.stringContaining("artifacts/link: left out, a link"),
    ]);
    const [trial] = await trialsOf(report.runId, stores);
    expect(await workspaceOf(trial?.result.objects.artifacts, stores)).toEqual({
      ok: "1",
      "logs/harbor/trial.log": "Trial started\n",
    });
  });

  test("a step's name leads to no file outside the trial", async () => {
    await writeFile(join(dir.path, "test-stdout.txt"), "secret");
    const step = { step_name: "../../../..", agent_result: null };
    const path = await writeHarborJob(dir.path, "nightly", [
      { name: "sort-words__aaaaaaa", result: { step_results: [step] } },
    ]);
    const stores = newStores();
    const { runId } = await importAll(path, stores);
    const [trial] = await trialsOf(runId, stores);
    expect(JSON.stringify(trial?.result.verifications)).not.toContain("secret");
  });

  test("of an old job without files of its own, named by its time, is a run of that time", async () => {
    const path = await writeHarborJob(dir.path, "2025-11-05__12-30-00", mixed.slice(0, 1));
    await rm(join(path, "result.json"));
    await rm(join(path, "config.json"));
    const stores = newStores();
    const { runId } = await importAll(path, stores);
    expect(await readRun(runId, stores.records)).toMatchObject({
      createdAt: "2025-11-05T12:30:00.000Z",
      status: "stopped",
    });
  });
});

describe("a task of an imported job", () => {
  const taskFiles = {
    "task.toml": 'schema_version = "1.4"\n',
    "instruction.md": "Sort the words.\n",
    "tests/test.sh": "#!/bin/bash\n",
    "environment/Dockerfile": "FROM debian:bookworm\n",
  };

  /** `DIR/tasks/sort-words`, beside `DIR/jobs`, as `harbor run` was started in DIR. */
  async function writeTask(): Promise<string> {
    const folder = join(dir.path, "tasks/sort-words");
    for (const [path, text] of Object.entries(taskFiles)) {
      await mkdir(join(folder, path, ".."), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return readHarborTask(await readTaskFolder(folder), folder).hash;
  }

  async function importWith(digest: string | undefined) {
    const lock = digest === undefined ? {} : { digest: `sha256:${digest}` };
    await writeHarborJob(join(dir.path, "jobs"), "j", [{ name: "sort-words__aaaaaaa", ...lock }]);
    const stores = newStores();
    const report = await importAll(join(dir.path, "jobs"), stores);
    const [trial] = await trialsOf(report.runId, stores);
    const hash = trial?.trial.task.hash ?? "";
    return {
      fates: report.tasks,
      hash,
      stored: (await stores.objects.head(objectKeys.task(hash))) !== undefined,
    };
  }

  test("is stored when its folder is as the job recorded it", async () => {
    const hash = await writeTask();
    expect(await importWith(hash)).toEqual({ fates: { kept: 1 }, hash, stored: true });
  });

  test("that has changed since keeps the hash that the job recorded, without a content", async () => {
    await writeTask();
    const hash = "a".repeat(64);
    expect(await importWith(hash)).toEqual({ fates: { changed: 1 }, hash, stored: false });
  });

  test("is taken as it is when the job recorded no digest, and said to be unchecked", async () => {
    const hash = await writeTask();
    expect(await importWith(undefined)).toEqual({ fates: { unchecked: 1 }, hash, stored: true });
  });

  test("that is not here keeps its recorded hash, or one of its name and place", async () => {
    const hash = "b".repeat(64);
    expect(await importWith(hash)).toEqual({ fates: { absent: 1 }, hash, stored: false });
    expect((await importWith(undefined)).hash).toMatch(/^[0-9a-f]{64}$/);
  });
});

test("a path without jobs is refused, and one with several gives them in order", async () => {
  await expect(findJobFolders(join(dir.path, "none"))).rejects.toMatchObject({ code: "not-found" });
  await expect(findJobFolders(dir.path)).rejects.toThrow("neither a Harbor job folder");
  await writeHarborJob(dir.path, "two", mixed.slice(0, 1));
  await writeHarborJob(dir.path, "one", mixed.slice(0, 1));
  expect((await findJobFolders(dir.path)).map(({ name }) => name)).toEqual(["one", "two"]);
  expect((await findJobFolders(join(dir.path, "two"))).map(({ name }) => name)).toEqual(["two"]);
});
