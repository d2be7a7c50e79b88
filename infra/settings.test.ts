import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { deployRegion } from "./config.ts";
import { Settings } from "./settings.ts";
import { loadStage } from "./stage-file.ts";
import { root } from "./synthesized.ts";

async function stageWith(yaml: string) {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-stage-"));
  mkdirSync(join(dir, "infra/stages"), { recursive: true });
  writeFileSync(join(dir, "infra/stages/own.yaml"), yaml);
  return {
    load: (name = "own") => loadStage(name, dir),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

test("a stage without a file costs nothing by the hour, mirrors nothing, and goes away whole", () => {
  const { settings, retain } = loadStage("dev", root);
  expect(retain).toBe(false);
  expect(settings).toMatchObject({
    network: { subnets: "public", flowLogs: false },
    compute: { gpu: { maxVcpus: 0 }, container: { maxVcpus: 256, arm: false } },
    logs: { days: 30 },
    tracing: false,
    api: true,
    secrets: [],
  });
  expect(settings.source ?? settings.schedule ?? settings.startRun).toBeUndefined();
  expect(settings.storage.expireRunsAfterDays).toBeUndefined();
});

test("prod keeps its data unless its file says otherwise", async () => {
  await using own = await stageWith("retain: true\n");
  expect(loadStage("prod", root).retain).toBe(true);
  expect(own.load().retain).toBe(true);
});

test("every stage file in the repository is whole", () => {
  for (const file of readdirSync(join(root, "infra/stages"))) {
    expect(() => loadStage(file.replace(/\.yaml$/, ""), root)).not.toThrow();
  }
});

test("an empty file is a stage of defaults", async () => {
  await using own = await stageWith("# nothing yet\n");
  expect(own.load().settings).toEqual(Settings.parse({}));
});

test.each([
  ["workerimage: x", "infra/stages/own.yaml", "workerimage"],
  ["logs: {days: 31}", "own.yaml", "logs.days"],
  ["compute: {container: {vcpus: 2, memoryMiB: 20000}}", "memoryMiB", "4096 to 16384"],
  ["compute: {sandbox: {boxVcpus: 1}}", "boxVcpus", "nothing for the worker"],
  ["startRun: {spec: nightly}", "`startRun`", "`source`"],
  ["schedule: {expression: rate(1 day)}", "`schedule`", "`source`"],
  ["source: {baseUrl: https://x.example}\nschedule: {expression: daily}", "schedule.expression", "cron(…)"],
  ["secrets: [openai-key]", "secrets", "capitals"],
  ["compute: {container: {arm: true}}", "compute.container.arm", "have to be the same"],
  ["storage: {rawToInfrequentAccessAfterDays: 7}", "rawToInfrequentAccessAfterDays", "30"],
])("a mistake is named with its file and field: %s", async (yaml, ...words) => {
  await using own = await stageWith(yaml);
  for (const word of words) expect(() => own.load()).toThrow(word);
});

test.each(["Prod", "a-name-that-is-too-long", "1st", "x_y", ""])("the stage name %j is refused", (name) => {
  expect(() => loadStage(name, root)).toThrow("wants lower-case letters");
});

test("SST deploys to the region that is said, or set, and to no other", () => {
  expect(deployRegion("eu-west-1", { AWS_REGION: "us-east-1" })).toBe("eu-west-1");
  expect(deployRegion(undefined, { AWS_DEFAULT_REGION: "eu-central-1" })).toBe("eu-central-1");
  expect(() => deployRegion(undefined, {})).toThrow("--region");
});
