import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { exportJob, type JobExport, jobIdOf } from "@tracemill/core/harbor/jobs/export-job.ts";
import { importJob, type JobImport } from "@tracemill/core/harbor/jobs/import-job.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { readStandings } from "@tracemill/core/pipeline/results.ts";
import type { Outcome } from "@tracemill/core/run/outcome.ts";
import { createRun, readRun } from "@tracemill/core/run/runs.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { jsonLinesBody, readJson } from "@tracemill/core/stored-json.ts";
import { collect, unzstdStream } from "@tracemill/core/streams.ts";
import { readResult } from "@tracemill/core/trial/result.ts";
import { readLayer } from "@tracemill/core/workspace/layer.ts";
import { findJobFolders, taskFilesFor } from "@tracemill/local/harbor-jobs-read.ts";
import { openJobTarget } from "@tracemill/local/harbor-jobs-write.ts";
import { fakeClock } from "./clock.ts";
import { memoryObjectStore, memoryRecordStore, memoryScratch } from "./memory-stores.ts";
import { fixtureTrial, writeRun } from "./run-fixture.ts";

const signal = new AbortController().signal;

export function newStores() {
  return { objects: memoryObjectStore(), records: memoryRecordStore(), scratch: memoryScratch() };
}
export type Stores = ReturnType<typeof newStores>;

export async function importAll(
  path: string,
  stores: Stores,
  { dryRun = false, ...more }: { signal?: AbortSignal; dryRun?: boolean } = {},
): Promise<JobImport> {
  const jobs = await findJobFolders(path);
  const [job] = jobs;
  if (job === undefined) throw new Error("no job");
  return importJob(job, { ...stores, taskFiles: taskFilesFor(jobs), signal, ...more }, dryRun);
}

/** What a run's ended trials came to, in plan order. */
export async function trialsOf(runId: string, stores: Stores) {
  const trials = await Array.fromAsync(readStandings(runId, stores));
  const ended = trials.filter(({ record }) => record?.status === "ended");
  return Promise.all(
    ended.map(async ({ trial, record }) => {
      const attempt = record?.attempts.at(-1)?.attempt ?? 0;
      const key = objectKeys.attempt(runId, trial.trialId, attempt, "result.json");
      const result = await readResult(key, stores.objects);
      const { trajectory } = result.objects;
      return {
        trial,
        result,
        trajectory: trajectory && ((await readJson(stores.objects, trajectory)) as Trajectory),
      };
    }),
  );
}

/** Every object and row, so that two stores can be held against each other. */
export async function contents(runId: string, { objects, records }: Stores): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for await (const { key } of objects.list(""))
    all[key] = (await collect((await objects.get(key)) ?? (async function* () {})())).toString("base64");
  for (const pk of ["runs", `run#${runId}`])
    for await (const { sk, version, data } of records.query(pk))
      all[`${pk}/${sk}`] = `${version} ${JSON.stringify(data)}`;
  return all;
}

export async function workspaceOf(
  key: string | undefined,
  { objects }: Stores,
): Promise<Record<string, string>> {
  const stored = await objects.get(key ?? "none");
  const files: Record<string, string> = {};
  for await (const entry of readLayer(unzstdStream(stored ?? (async function* () {})())))
    if (entry.type === "file") files[entry.path] = (await collect(entry.body)).toString("utf8");
  return files;
}

/** A finished run of ours with a plan, as an export finds it. */
export async function finishedRun(stores: Stores, outcome?: (index: number) => Outcome): Promise<string> {
  const spec = parseRunSpec({ name: "ours", tasks: ["."], agents: [{ name: "oracle" }], attempts: 3 }, "s");
  const { runId } = await createRun(spec, { ...stores, clock: fakeClock() }, "run_FIXTURE");
  await writeRun({ runId, trials: 20, open: 2, ...(outcome === undefined ? {} : { outcome }) }, stores);
  const trials = Array.from({ length: 22 }, (_, index) => fixtureTrial(runId, index));
  const shard = {
    shardId: "shd_1",
    environment: "env",
    sandboxed: { trace: true, evaluate: true },
    trials: 22,
  };
  const plan = {
    schemaVersion: 1,
    runId,
    tasks: 8,
    trials: 22,
    excluded: 0,
    excludedBy: {},
    shards: [shard],
  };
  await stores.objects.put(objectKeys.runShard(runId, "shd_1"), jsonLinesBody(trials));
  await stores.objects.put(objectKeys.runTasks(runId), jsonLinesBody(tasksOf(trials)));
  await stores.objects.put(objectKeys.runShards(runId), Buffer.from(JSON.stringify(plan)));
  return runId;
}

function tasksOf(trials: ReturnType<typeof fixtureTrial>[]) {
  return [...new Map(trials.map(({ task }) => [task.hash, { ...task, references: [] }])).values()];
}

export async function exportTo(jobsDir: string, runId: string, stores: Stores, jobName = "job") {
  await using job = await openJobTarget(jobsDir, jobName, jobIdOf(runId));
  const run = await readRun(runId, stores.records);
  const done: JobExport = await exportJob({ run, jobName, jobsDir: "jobs" }, { ...stores, job, signal });
  await job.commit();
  return done;
}
