import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  datasetOf,
  jsonLines,
  repository,
  showTrials,
  startTracemill,
  tracemill,
  userMachine,
} from "./tracemill.ts";

const folderSpec = join(repository, "examples/pipelines/folder.yaml");

test("a folder of tasks becomes verified trials, a results table and a dataset", async () => {
  await using machine = await userMachine();
  const run = await tracemill(machine, "run", folderSpec);
  expect(run).toMatchObject({ code: 0 });
  expect(run.stdout).toContain("outcomes: 4 scored");
  const trials = await showTrials(machine);
  expect(trials.map(({ task, agent, reward }) => [task, agent, reward]).toSorted()).toEqual([
    ["examples/count-errors", "nop", 0],
    ["examples/count-errors", "oracle", 1],
    ["examples/sort-words", "nop", 0],
    ["examples/sort-words", "oracle", 1],
  ]);
  const { dir, manifest } = await datasetOf(machine);
  expect(manifest.files.some(({ path }) => path.endsWith("data/sft/train-00000-of-00001.parquet"))).toBe(
    true,
  );
  const rows = (await readFile(join(dir, "jsonl/sft/train.jsonl"), "utf8")).trim().split("\n");
  expect(rows).toHaveLength(2);
});

test("the plan is shown without running anything", async () => {
  await using machine = await userMachine();
  const plan = await tracemill(machine, "run", folderSpec, "--dry-run");
  expect(plan).toMatchObject({ code: 0 });
  expect(plan.stdout).toContain("2 tasks, 4 trials");
  expect((await tracemill(machine, "runs")).stdout).toContain("no runs yet");
});

test("events come as JSON lines for machines", async () => {
  await using machine = await userMachine();
  const events = jsonLines<{ type: string }>(await tracemill(machine, "run", folderSpec, "--json"));
  const types = new Set(events.map(({ type }) => type));
  expect([...types]).toEqual(
    expect.arrayContaining([
      "run",
      "stage-started",
      "planned",
      "attempt-started",
      "attempt-ended",
      "stage-ended",
      "finished",
    ]),
  );
});

test("a TypeScript spec runs as a YAML one does", async () => {
  await using machine = await userMachine();
  const spec = join(machine.dir, "spec.ts");
  const tasks = JSON.stringify([join(repository, "examples/tasks/sort-words")]);
  await writeFile(
    spec,
    `export const spec = { name: "ts", tasks: ${tasks}, agents: [{ name: "oracle" as const }] };\n`,
  );
  expect(await tracemill(machine, "run", spec)).toMatchObject({ code: 0 });
  expect(await showTrials(machine)).toMatchObject([{ outcome: "scored", reward: 1 }]);
});

test("Ctrl-C finishes what is in flight, and a resumed run does the rest", async () => {
  await using machine = await userMachine();
  const spec = join(machine.dir, "many.yaml");
  const tasks = join(repository, "examples/tasks/sort-words");
  await writeFile(
    spec,
    `name: many\ntasks: [${tasks}]\nagents: [{ name: oracle }]\nattempts: 40\nconcurrency: 1\n`,
  );
  const { child, finished } = startTracemill(machine, ["run", spec, "--json"]);
  child.stdout?.on("data", (text: string) => {
    if (text.includes("attempt-started")) child.kill("SIGINT");
  });
  expect(await finished).toMatchObject({
    code: 130,
    stderr: expect.stringContaining("finishing what is in flight"),
  });
  const before = await showTrials(machine);
  expect(before.every(({ attempts }) => attempts.every(({ outcome }) => outcome === "scored"))).toBe(true);
  expect(before.some(({ outcome }) => outcome === "planned")).toBe(true);
  expect(await tracemill(machine, "run", "--resume", "latest")).toMatchObject({ code: 0 });
  const after = await showTrials(machine);
  expect(after.map(({ outcome, attempts }) => [outcome, attempts.length])).toEqual(
    Array(40).fill(["scored", 1]),
  );
});

test("two processes share one run and never do the same attempt", async () => {
  await using machine = await userMachine();
  const spec = join(machine.dir, "shared.yaml");
  const tasks = join(repository, "examples/tasks/sort-words");
  await writeFile(
    spec,
    `name: shared\ntasks: [${tasks}]\nagents: [{ name: oracle }]\nattempts: 30\nconcurrency: 2\n`,
  );
  const first = startTracemill(machine, ["run", spec, "--json"]);
  await new Promise<void>((begun) => {
    first.child.stdout?.on("data", (text: string) => {
      if (text.includes("attempt-started")) begun();
    });
  });
  const second = startTracemill(machine, ["run", "--resume", "latest", "--json"]);
  const results = await Promise.all([first.finished, second.finished]);
  expect(results.map(({ code }) => code)).toEqual([0, 0]);
  const shares = results.map(
    (result) => jsonLines(result).filter(({ type }) => type === "attempt-ended").length,
  );
  expect(shares.reduce((sum, share) => sum + share, 0)).toBe(30);
  expect(Math.min(...shares)).toBeGreaterThan(0);
  const trials = await showTrials(machine);
  expect(trials.every(({ outcome, attempts }) => outcome === "scored" && attempts.length === 1)).toBe(true);
});

test("two different runs work in one home at the same time", async () => {
  await using machine = await userMachine();
  const task = join(repository, "examples/tasks/sort-words");
  for (const name of ["one", "two"]) {
    const agents = "agents: [{ name: oracle }, { name: nop }]";
    await writeFile(
      join(machine.dir, `${name}.yaml`),
      `name: ${name}\ntasks: [${task}]\n${agents}\nattempts: 5\n`,
    );
  }
  const runs = await Promise.all([
    tracemill(machine, "run", "one.yaml"),
    tracemill(machine, "run", "two.yaml"),
  ]);
  expect(runs.map(({ code }) => code)).toEqual([0, 0]);
  for (const name of ["one", "two"]) {
    const trials = await showTrials(machine, name);
    expect(trials.map(({ outcome }) => outcome)).toEqual(Array(10).fill("scored"));
  }
});
