import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  allFormats,
  datasetRows,
  datasetText,
  duckdb,
  exportRun,
  storesWith,
} from "../../../../test/fakes/exported.ts";
import { filesBelow } from "../../../../test/fakes/files-below.ts";
import { plantedSecrets, plantedText } from "../../../../test/fakes/planted-secrets.ts";
import { fixtureTrajectory, type RunFixture } from "../../../../test/fakes/run-fixture.ts";
import { type TempDir, tempDir } from "../../../../test/fakes/temp-dir.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

describe("rows", () => {
  test("every ended trial is in `trials`, and only those with a reward in the training formats", async () => {
    const deps = await storesWith(dir.path, { trials: 40, open: 3 });
    const manifest = await exportRun(allFormats, deps);
    const trials = await datasetRows(deps.objects, manifest, "trials");
    expect(trials).toHaveLength(40);
    expect(trials.filter(({ outcome }) => outcome === "environment-failed")).toHaveLength(8);
    expect(
      trials.every(({ outcome, reward }) => (reward === null) === (outcome === "environment-failed")),
    ).toBe(true);
    expect(await datasetRows(deps.objects, manifest, "sft")).toHaveLength(32);
    expect(await datasetRows(deps.objects, manifest, "harbor")).toHaveLength(32);
    expect(manifest.leftOut).toEqual({
      notEnded: 3,
      formats: { sft: { "outcome:environment-failed": 8 }, harbor: { "outcome:environment-failed": 8 } },
    });
  });

  test("an sft row is an OpenAI conversation with native tool calls", async () => {
    const deps = await storesWith(dir.path, { trials: 2 });
    const manifest = await exportRun({ ...allFormats, splits: { train: 1 } }, deps);
    const rows = await datasetRows(deps.objects, manifest, "sft");
    const row = rows.find(({ agent }) => agent === "terminus");
    expect(row).toMatchObject({
      messages: [
        { role: "system", content: "You are a terminal agent." },
        { role: "user", content: "Do task 1: Grüße 🎉" },
        {
          role: "assistant",
          content: "I look.",
          reasoning_content: "ls is enough",
          tool_calls: [
            { id: "call-1", type: "function", function: { name: "bash", arguments: '{"command":"ls 1"}' } },
          ],
        },
        { role: "tool", content: "file\n", tool_call_id: "call-1" },
        { role: "assistant", content: "Done." },
      ],
      tools: [{ type: "function" }],
      task: "task-0",
      group: "group-0",
      model: "openai/gpt-test",
      reward: 0.5,
      outcome: "scored",
      decided_by: "tests",
    });
    expect(row?.messages).toHaveProperty("1", { role: "user", content: "Do task 1: Grüße 🎉" });
  });

  test("a harbor row is what Harbor exports", async () => {
    const deps = await storesWith(dir.path, { trials: 2 });
    const manifest = await exportRun({ ...allFormats, splits: { train: 1 }, episodes: "all" }, deps);
    const rows = await datasetRows(deps.objects, manifest, "harbor");
    expect(rows.filter(({ model }) => model === "gpt-test").map(({ episode }) => episode)).toEqual([
      "episode-0",
      "episode-1",
    ]);
    expect(rows.find(({ episode }) => episode === "episode-1")).toMatchObject({
      agent: "fixture",
      model_provider: "openai",
      task: "task-0",
      result: "0.5",
      tool_definitions: [{ type: "function" }],
    });
  });

  test("the last attempt stands for a trial, and the table says how many there were", async () => {
    const deps = await storesWith(dir.path, { trials: 4 });
    const manifest = await exportRun({ name: "d", formats: ["trials"] }, deps);
    const rows = await datasetRows(deps.objects, manifest, "trials");
    expect(rows.map(({ attempts }) => attempts).toSorted()).toEqual([1, 1, 1, 2]);
    const retried = rows.find(({ attempts }) => attempts === 2);
    expect(retried).toMatchObject({ outcome: "scored", rewards: { reward: 0, style: 1 }, cost_usd: 0.25 });
    expect(retried?.result_key).toMatch(/\/2\/result\.json$/);
  });
});

describe("filters", () => {
  test("minReward and agents leave rows out and count them", async () => {
    const deps = await storesWith(dir.path, { trials: 40 });
    const manifest = await exportRun({ ...allFormats, minReward: 1, agents: ["terminus"] }, deps);
    const rows = await datasetRows(deps.objects, manifest, "sft");
    expect(rows.every(({ reward, agent }) => reward === 1 && agent === "terminus")).toBe(true);
    const reasons = manifest.leftOut.formats.sft ?? {};
    expect(reasons.agent).toBe(20);
    expect(rows.length + Object.values(reasons).reduce((sum, count) => sum + count, 0)).toBe(40);
  });

  test("an outcome without a reward is taken only when it is named and no minReward is asked", async () => {
    const deps = await storesWith(dir.path, { trials: 10 });
    const outcomes = ["scored", "environment-failed"];
    const named = await exportRun({ ...allFormats, outcomes }, deps);
    const rows = await datasetRows(deps.objects, named, "sft");
    expect(rows.filter(({ outcome }) => outcome === "environment-failed")).toHaveLength(2);
    const withMinimum = await exportRun({ ...allFormats, outcomes, minReward: -1 }, deps);
    expect(withMinimum.leftOut.formats.sft).toEqual({ "no-reward": 2, "outcome:agent-failed": 2 });
  });

  test("equal conversations come once, unless wanted", async () => {
    const deps = await storesWith(dir.path, {
      trials: 10,
      trajectory: (index) => fixtureTrajectory(index % 2),
    });
    const once = await exportRun(allFormats, deps);
    expect(await datasetRows(deps.objects, once, "sft")).toHaveLength(2);
    expect(once.leftOut.formats.sft).toMatchObject({ duplicate: 6 });
    const all = await exportRun({ ...allFormats, dedupe: false }, deps);
    expect(await datasetRows(deps.objects, all, "sft")).toHaveLength(8);
    expect(all.leakCheck.conversations.sft?.distinct).toBe(2);
  });

  test("trials without a trajectory, with pictures, or without a turn are left out by reason", async () => {
    const trajectory: RunFixture["trajectory"] = (index) => {
      const plain = fixtureTrajectory(0);
      if (index === 0) return undefined;
      if (index === 1) return { ...plain, steps: plain.steps.slice(0, 2) };
      const image = { type: "image" as const, source: { media_type: "image/png" as const, path: "a.png" } };
      return { ...plain, steps: [{ step_id: 1, source: "agent", message: [image] }] };
    };
    const deps = await storesWith(dir.path, { trials: 3, trajectory });
    const manifest = await exportRun(allFormats, deps);
    const reasons = { "no-trajectory": 1, "no-agent-turn": 1, "not-text": 1 };
    expect(manifest.leftOut.formats).toEqual({ sft: reasons, harbor: reasons });
  });

  test("secrets that are still in stored trajectories go from every row, and the manifest counts them", async () => {
    const secrets = plantedSecrets(5);
    const trajectory = (index: number) => {
      const plain = fixtureTrajectory(index);
      const [system, ...rest] = plain.steps;
      const leak = { step_id: 1, source: "system" as const, message: plantedText(secrets) };
      return { ...plain, steps: [...(system === undefined ? [] : [leak]), ...rest] };
    };
    const deps = await storesWith(dir.path, { trials: 4, trajectory });
    const manifest = await exportRun(allFormats, deps);
    expect(Object.keys(manifest.redactions ?? {})).toEqual(
      expect.arrayContaining([...new Set(secrets.map(({ kind }) => kind))]),
    );
    const card = await datasetText(deps.objects, manifest, "README.md");
    expect(card).toMatch(/\d+ × `github-token`/);
    const files = await datasetTexts(join(dir.path, "objects/datasets"));
    for (const { value } of secrets) expect(files.filter(({ text }) => text.includes(value))).toEqual([]);
    const [first] = await datasetRows(deps.objects, manifest, "sft");
    expect(JSON.stringify(first)).toContain("[REDACTED:github-token]");
  });

  test("a dataset without secrets says nothing of them", async () => {
    const manifest = await exportRun(allFormats, await storesWith(dir.path, { trials: 2 }));
    expect(manifest).not.toHaveProperty("redactions");
  });
});

/** Every file of the datasets, Parquet as rows. */
async function datasetTexts(folder: string): Promise<{ path: string; text: string }[]> {
  const texts = Object.entries(await filesBelow(folder)).map(([path, text]) => ({ path, text }));
  const parquet = texts.filter(({ path }) => path.endsWith(".parquet"));
  const rows = await Promise.all(
    parquet.map(async ({ path }) => ({
      path: `${path} (rows)`,
      text: JSON.stringify(await duckdb(`SELECT * FROM '${join(folder, path)}'`), jsonValue),
    })),
  );
  return [...texts, ...rows];
}

function jsonValue(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
