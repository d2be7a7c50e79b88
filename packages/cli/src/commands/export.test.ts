import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { printed } from "../../../../test/fakes/printed.ts";
import { writeRun } from "../../../../test/fakes/run-fixture.ts";
import { type TempDir, tempDir } from "../../../../test/fakes/temp-dir.ts";
import { openHome } from "../deps.ts";
import { exportCommand } from "./export.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
  const home = await openHome(dir.path);
  const runId = await writeRun({ trials: 20 }, home);
  const spec = parseRunSpec({ name: "nightly", tasks: ["."], agents: [{ name: "oracle" }] }, "spec.yaml");
  await home.objects.put(objectKeys.runSpec(runId), Buffer.from(JSON.stringify(spec)));
  const run = {
    schemaVersion: 1,
    runId,
    name: "nightly",
    specHash: "x",
    createdAt: "2026-01-01T00:00:00.000Z",
  };
  await home.records.put(recordKeys.run(runId), { ...run, status: "running" }, "any");
  await home.close();
});
afterEach(() => dir[Symbol.asyncDispose]());

const exportRun = (...args: string[]): Promise<string> => printed(dir.path, exportCommand, ...args);

test("a run is exported under its name, with where the files are", async () => {
  const printed = await exportRun("nightly");
  expect(printed).toMatch(/^nightly ver_[0-9a-f]{24}\n/);
  expect(printed).toMatch(/sft +train +16/);
  expect(printed).toContain("left out of sft: 4 (outcome:environment-failed)");
  expect(printed).toContain(`dataset: ${dir.path}/objects/datasets/nightly/ver_`);
});

test("options change the export, and --json gives its manifest", async () => {
  const options = [
    "--name",
    "forms",
    "--format",
    "trials",
    "--split",
    "train=0.5",
    "--split",
    "test=0.5",
    "--seed",
    "3",
  ];
  const manifest = JSON.parse(await exportRun("latest", ...options, "--no-dedupe", "--json"));
  expect(manifest).toMatchObject({
    type: "dataset",
    name: "forms",
    export: { formats: ["trials"], splits: { train: 0.5, test: 0.5 }, seed: 3, dedupe: false },
    lineage: { trials: 20 },
  });
});

test.each([
  [["latest", "--format", "parquet"], /formats/],
  [["latest", "--split", "train=0.5"], /export\.splits/],
  [["latest", "--split", "train=0.5", "--split", "train=0.5"], /given twice/],
  [["latest", "--split", "train"], /train=0\.8/],
  [["latest", "--min-reward", "high"], /give a number/],
  [["absent"], /tracemill runs/],
])("%j is refused with what to do", async (args, message) => {
  await expect(exportRun(...args)).rejects.toThrow(message);
});
