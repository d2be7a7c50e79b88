import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildRun } from "./million.ts";
import { type BenchArgs, note, report } from "./report.ts";
import { median, tracemill } from "./tracemill.ts";

/** A finished run of as many trials, and one that goes on. */
const finishedTrials = 1_000_000;
const runningTrials = 1_000_000;

const finished = "run_01BENCHFINISHED00000000000";
const running = "run_01BENCHRUNNING000000000000";

const goalMs = 1_000;

const endRun = fileURLToPath(new URL("end-run.ts", import.meta.url));

/** The commands that look at runs, as processes, on a store with two runs of a million trials. */
export async function benchStore({ keep }: BenchArgs): Promise<void> {
  const dir = keep
    ? join(tmpdir(), "tracemill-bench-store")
    : await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  try {
    await build(dir);
    await measure(dir);
  } finally {
    if (!keep) await rm(dir, { recursive: true, force: true });
  }
}

async function build(dir: string): Promise<void> {
  if (await isThere(join(dir, "built"))) return;
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const startedAt = performance.now();
  await buildRun({ dir, runId: finished, trials: finishedTrials, ended: 1 });
  await buildRun({ dir, runId: running, trials: runningTrials, ended: 0.6 });
  note("building the store", (performance.now() - startedAt) / 1_000, "s");
  const ending = spawnSync(process.execPath, [endRun, dir, finished], { encoding: "utf8" });
  if (ending.status !== 0) throw new Error(`bench/end-run.ts ended with ${ending.status}: ${ending.stderr}`);
  const { seconds, residentMiB } = JSON.parse(ending.stdout);
  report("results.csv, summary and report at the end of a run", finishedTrials / seconds, "trials/s", {
    atLeast: 10_000,
  });
  note("largest resident size of that process", residentMiB, "MiB");
  await mkdir(join(dir, "built"));
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function measure(dir: string): Promise<void> {
  const commands: readonly (readonly string[])[] = [
    ["runs"],
    ["show", finished],
    ["show", finished, "--trials", "--skip", "500000"],
    ["report", finished],
    ["report", finished, "--by", "task"],
    ["show", running],
    ["report", running],
    ["status", running],
  ];
  for (const args of commands) {
    // Once before, so that what is measured is not the first reading of the file.
    await tracemill(dir, args);
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) times.push((await tracemill(dir, args)).ms);
    const what = args.join(" ").replace(finished, "FINISHED").replace(running, "RUNNING");
    report(`tracemill ${what}`, median(times), "ms", { atMost: goalMs });
  }
}
