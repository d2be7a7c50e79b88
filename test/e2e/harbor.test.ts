import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { filesBelow } from "../fakes/files-below.ts";
import { terminusTrajectory, writeHarborJob } from "../fakes/harbor-job.ts";
import {
  repository,
  showTrials,
  startTracemill,
  tracemill,
  type UserMachine,
  userMachine,
} from "./tracemill.ts";

const folderSpec = join(repository, "examples/pipelines/folder.yaml");

async function outcomes(machine: UserMachine, run = "latest"): Promise<unknown[]> {
  const trials = await showTrials(machine, run);
  return trials.map(({ task, agent, outcome, reward }) => [task, agent, outcome, reward]).toSorted();
}

test("a run written as a Harbor job is the same run on another machine", async () => {
  await using first = await userMachine();
  expect(await tracemill(first, "run", folderSpec)).toMatchObject({ code: 0 });
  const jobs = join(first.dir, "jobs");
  expect(await tracemill(first, "export", "latest", "--harbor-jobs", jobs)).toMatchObject({ code: 0 });
  await using second = await userMachine();
  const imported = await tracemill(second, "import", "harbor", jobs);
  expect(imported).toMatchObject({ code: 0 });
  expect(imported.stdout).toContain("4 trials imported (4 scored)");
  expect(imported.stdout).not.toContain("of tasks that");
  expect(await outcomes(second)).toEqual(await outcomes(first));
  const exported = await tracemill(second, "export", "latest", "--format", "harbor", "--format", "sft");
  expect(exported.stdout).toMatch(/sft +train +4/);
});

/** Runs `args` undisturbed. @returns how long it took, in milliseconds. */
async function timed(machine: UserMachine, args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  expect(await tracemill(machine, ...args)).toMatchObject({ code: 0 });
  return performance.now() - startedAt;
}

/** Kills `args` at several points of its length, then runs it to its end. @returns how often it was killed at work. */
async function killedAndFinished(
  machine: UserMachine,
  args: readonly string[],
  lengthMs: number,
): Promise<number> {
  let killed = 0;
  for (const share of [0.4, 0.55, 0.7, 0.8, 0.9]) {
    const running = startTracemill(machine, args);
    await Promise.race([sleep(lengthMs * share), running.finished]);
    running.child.kill("SIGKILL");
    if ((await running.finished).signal === "SIGKILL") killed += 1;
  }
  await timed(machine, args);
  return killed;
}

test("an import and an export that were killed again and again come out whole, with nothing twice", async () => {
  await using machine = await userMachine();
  const trials = Array.from({ length: 150 }, (_, index) => ({
    name: `words__${String(index).padStart(7, "a")}`,
    files: {
      "agent/trajectory.json": terminusTrajectory(`answer ${index}`),
      "artifacts/app/answer.txt": `${index}\n`.repeat(1_000),
    },
    result: { verifier_result: { rewards: { reward: index % 2 } } },
  }));
  const jobs = join(machine.dir, "jobs");
  await writeHarborJob(jobs, "killed", trials);
  const importJobs = ["import", "harbor", jobs];
  await using undisturbed = await userMachine();
  const importMs = await timed(undisturbed, importJobs);
  expect(await killedAndFinished(machine, importJobs, importMs)).toBeGreaterThan(0);
  expect(await showTrials(machine)).toEqual(await showTrials(undisturbed));

  const exportTo = (dir: string) => ["export", "killed", "--harbor-jobs", dir, "--job-name", "job"];
  const whole = join(undisturbed.dir, "out");
  const exportMs = await timed(undisturbed, exportTo(whole));
  const out = join(machine.dir, "out");
  expect(await killedAndFinished(machine, exportTo(out), exportMs)).toBeGreaterThan(0);
  const withoutPlace = (files: Record<string, string>, dir: string) =>
    Object.fromEntries(Object.entries(files).map(([path, text]) => [path, text.replaceAll(dir, "DIR")]));
  const files = withoutPlace(await filesBelow(join(whole, "job")), whole);
  expect(withoutPlace(await filesBelow(join(out, "job")), out)).toEqual(files);
  expect(Object.keys(files).filter((path) => path.endsWith("/result.json"))).toHaveLength(150);
});
