import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { objectKeys } from "@tracemill/core/keys.ts";
import type { Outcome } from "@tracemill/core/run/outcome.ts";
import { zstdStream } from "@tracemill/core/streams.ts";
import { writeLayer } from "@tracemill/core/workspace/layer.ts";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { filesBelow } from "../../../test/fakes/files-below.ts";
import {
  exportTo,
  finishedRun,
  importAll,
  newStores,
  type Stores,
  trialsOf,
  workspaceOf,
} from "../../../test/fakes/harbor-runs.ts";
import { fixtureOutcome } from "../../../test/fakes/run-fixture.ts";
import { type TempDir, tempDir } from "../../../test/fakes/temp-dir.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

const schemas = new URL("../../../../shared/formats/harbor-schemas/", import.meta.url);

/** Checks documents against the JSON schemas of Harbor's own models (0.24 and 0.25). */
async function schemaOf(model: string) {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addFormat("path", true);
  return ajv.compile(JSON.parse(await readFile(new URL(`${model}.json`, schemas), "utf8")) as object);
}

describe("a run as a job folder", () => {
  test.skipIf(!existsSync(schemas)).each([
    ["config.json", "JobConfig", "TrialConfig"],
    ["lock.json", "JobLock", "TrialLock"],
    ["result.json", "JobResult", "TrialResult"],
  ])(
    "has a %s by the schemas of Harbor's %s and %s (needs ../shared)",
    async (file, jobModel, trialModel) => {
      const stores = newStores();
      const runId = await finishedRun(stores);
      await exportTo(dir.path, runId, stores);
      const files = await filesBelow(join(dir.path, "job"));
      const [job, trial] = [await schemaOf(jobModel), await schemaOf(trialModel)];
      let trials = 0;
      for (const [path, text] of Object.entries(files)) {
        if (!path.endsWith(file)) continue;
        const check = path === file ? job : trial;
        check(JSON.parse(text));
        expect([path, check.errors]).toEqual([path, null]);
        trials += path === file ? 0 : 1;
      }
      expect(trials).toBe(20);
      expect(job({ job_name: 1, trials: 1, n_attempts: "x", id: 1 })).toBe(false);
    },
  );

  test("comes back by an import with the same outcomes, rewards, times, tokens and trajectories", async () => {
    const stores = newStores();
    const outcomes: Outcome[] = [
      { kind: "cancelled", reason: "stopped on request" },
      { kind: "budget-exceeded", reason: "12 tokens used" },
      { kind: "environment-failed", reason: "a bad Dockerfile", permanent: true },
      { kind: "agent-failed", failure: "turn-limit", reason: "40 turns", rewards: { reward: 0.1 + 0.2 } },
    ];
    const runId = await finishedRun(stores, (index) => outcomes[index] ?? fixtureOutcome(index));
    expect(await exportTo(dir.path, runId, stores)).toMatchObject({ trials: 20, written: 20, notEnded: 2 });
    const back = newStores();
    const report = await importAll(join(dir.path, "job"), back);
    expect(report).toMatchObject({ trials: { imported: 20, broken: 0 }, problems: [] });
    const view = async (id: string, from: Stores) => {
      const rows = (await trialsOf(id, from)).map(({ trial, result, trajectory }) => {
        const { outcome, startedAt, endedAt, usage, timings } = result;
        const { name, hash } = trial.task;
        const rounded = Object.values(timings).map(Math.floor);
        return JSON.stringify({
          name,
          hash,
          agent: trial.agent,
          outcome,
          startedAt,
          endedAt,
          usage,
          rounded,
          trajectory,
        });
      });
      return rows.sort();
    };
    expect(await view(report.runId, back)).toEqual(await view(runId, stores));
  });

  test("has the files, links and logs of the agent's workspace where Harbor has them, and they come back", async () => {
    const stores = newStores();
    const runId = await finishedRun(stores);
    const [first] = await trialsOf(runId, stores).then((all) =>
      all.filter(({ result }) => result.attempt === 1),
    );
    if (first === undefined) throw new Error("no trial");
    const { trialId } = first.trial;
    const key = objectKeys.attempt(runId, trialId, 1, "artifacts.tar.zst");
    const body = (text: string) => ({
      mode: 0o644,
      size: text.length,
      body: (async function* () {
        yield Buffer.from(text);
      })(),
    });
    const layer = writeLayer([
      { type: "file", path: "app/a.txt", ...body("A") },
      { type: "symlink", path: "app/link", target: "/etc/passwd" },
      { type: "whiteout", path: "app/gone" },
      { type: "file", path: "logs/agent/own.log", ...body("B") },
      { type: "file", path: "logs/verifier/reward.txt", ...body("9") },
    ]);
    await stores.objects.put(key, zstdStream(layer));
    const resultKey = objectKeys.attempt(runId, trialId, 1, "result.json");
    const changed = { ...first.result, objects: { ...first.result.objects, artifacts: key } };
    await stores.objects.put(resultKey, Buffer.from(JSON.stringify(changed)));
    await exportTo(dir.path, runId, stores);
    const files = await filesBelow(join(dir.path, "job"));
    const name =
      Object.keys(files)
        .find((path) => path.endsWith("/own.log"))
        ?.split("/")[0] ?? "";
    expect(files[`${name}/artifacts/app/a.txt`]).toBe("A");
    expect(files[`${name}/artifacts/app/link`]).toBeUndefined();
    expect(files[`${name}/verifier/reward.txt`]).not.toBe("9");
    const manifest = JSON.parse(files[`${name}/artifacts/manifest.json`] ?? "") as {
      source: string;
      status: string;
    }[];
    expect(manifest.map(({ source, status }) => `${source} ${status}`)).toEqual([
      "/app/a.txt ok",
      "/app/link skipped",
      "/app/gone skipped",
    ]);
    const back = newStores();
    const { runId: imported } = await importAll(join(dir.path, "job"), back);
    const withFiles = (await trialsOf(imported, back)).map(({ result }) =>
      workspaceOf(result.objects.artifacts, back),
    );
    expect(await Promise.all(withFiles)).toContainEqual(
      expect.objectContaining({ "app/a.txt": "A", "logs/agent/own.log": "B" }),
    );
  });

  test("is the same to the letter each time, is brought up to date, and leaves other people's files", async () => {
    const stores = newStores();
    const runId = await finishedRun(stores);
    await exportTo(dir.path, runId, stores);
    await exportTo(join(dir.path, "again"), runId, stores);
    const before = await filesBelow(join(dir.path, "job"));
    expect(await filesBelow(join(dir.path, "again/job"))).toEqual(before);

    const [trial] = (await readdir(join(dir.path, "job"))).filter((name) => name.includes("__"));
    await writeFile(join(dir.path, "job", "analysis.md"), "mine");
    await writeFile(join(dir.path, "job", trial ?? "", "result.json"), "{}");
    expect(await exportTo(dir.path, runId, stores)).toMatchObject({ written: 1 });
    expect(await filesBelow(join(dir.path, "job"))).toEqual({ ...before, "analysis.md": "mine" });
    expect((await readdir(dir.path)).sort()).toEqual(["again", "job"]);
  });

  test("is refused where another job is, and one that fails leaves nothing", async () => {
    const stores = newStores();
    const runId = await finishedRun(stores);
    await mkdir(join(dir.path, "job"));
    await writeFile(join(dir.path, "job", "result.json"), JSON.stringify({ id: "other" }));
    await expect(exportTo(dir.path, runId, stores)).rejects.toThrow("give another --job-name");
    const { get } = stores.objects;
    stores.objects.get = (key, options) =>
      key.endsWith("trajectory.json") ? Promise.reject(new Error("gone")) : get(key, options);
    await expect(exportTo(dir.path, runId, stores, "new")).rejects.toThrow("gone");
    expect(await readdir(dir.path)).toEqual(["job"]);
  });
});
