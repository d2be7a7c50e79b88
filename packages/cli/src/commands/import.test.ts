import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { terminusTrajectory, writeHarborJob } from "../../../../test/fakes/harbor-job.ts";
import { runCommand } from "../../../../test/fakes/printed.ts";
import { type TempDir, tempDir } from "../../../../test/fakes/temp-dir.ts";
import { createProgram } from "../program.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

const tracemill = (...args: string[]) => runCommand(join(dir.path, "home"), createProgram, ...args);

async function writeJobs(): Promise<string> {
  const jobs = join(dir.path, "jobs");
  const files = { "agent/trajectory.json": terminusTrajectory("hello") };
  await writeHarborJob(jobs, "one", [{ name: "words__aaaaaaa", files }, { name: "words__bbbbbbb" }]);
  await writeHarborJob(jobs, "two", [{ name: "words__ccccccc" }], {
    id: "00000000-0000-0000-0000-000000000002",
  });
  return jobs;
}

test("each job of a folder becomes a run that the other commands know", async () => {
  const jobs = await writeJobs();
  const dry = await tracemill("import", "harbor", jobs, "--dry-run");
  expect(dry.printed).toContain("one: 2 trials would be imported (2 scored)");
  expect((await tracemill("runs")).printed).toContain("no runs yet");

  const { printed, exitCode } = await tracemill("import", "harbor", jobs);
  expect(printed).toMatch(
    /^one: 2 trials imported \(2 scored\)\n.*2 of tasks that are not on this machine\n.*1 without a trajectory\n {2}run: run_/,
  );
  expect(printed).toContain("two: 1 trials imported (1 scored)");
  expect(exitCode).toBe(0);
  expect((await tracemill("import", "harbor", jobs)).printed).toContain(
    "one: 0 trials imported\n  2 in the run before",
  );
  expect((await tracemill("show", "one", "--trials")).printed).toMatch(/words +terminus-2 +scored +1/);
  expect((await tracemill("report", "one")).printed).toContain("terminus-2/openai/gpt-test");
  expect((await tracemill("export", "one", "--format", "sft")).printed).toMatch(/sft +train +1/);
  await expect(tracemill("resume", "one")).rejects.toThrow("was imported from Harbor");
});

test("--json gives a line a job; a broken trial is named and makes the exit code 1", async () => {
  const jobs = await writeJobs();
  await mkdir(join(jobs, "one/words__zzzzzzz"));
  await writeFile(join(jobs, "one/words__zzzzzzz/result.json"), "{");
  const { printed, exitCode } = await tracemill("import", "harbor", join(jobs, "one"), "--json");
  expect(JSON.parse(printed)).toMatchObject({
    type: "import",
    job: "one",
    trials: { imported: 2, broken: 1 },
    problems: [{ where: "words__zzzzzzz" }],
  });
  expect(exitCode).toBe(1);
});

test("a run is exported as a job folder again, under its name or a given one", async () => {
  const jobs = await writeJobs();
  await tracemill("import", "harbor", jobs);
  const out = join(dir.path, "out");
  const { printed } = await tracemill("export", "one", "--harbor-jobs", out);
  expect(printed).toMatch(/^2 trials\njob: .*\/out\/one__run_\w{26}\nopen it with: harbor view .*\/out\n$/);
  await tracemill("export", "one", "--harbor-jobs", out, "--job-name", "same");
  const again = await tracemill("export", "one", "--harbor-jobs", out, "--job-name", "same");
  expect(again.printed).toContain("2 trials, 2 of them there before");
  await expect(tracemill("export", "two", "--harbor-jobs", out, "--job-name", "same")).rejects.toThrow(
    "give another --job-name",
  );
  await expect(tracemill("export", "one", "--harbor-jobs", out, "--format", "sft")).rejects.toThrow(
    "--format: for datasets only",
  );
});
