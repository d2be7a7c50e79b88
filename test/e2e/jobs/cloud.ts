import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import { dynamoRecordStore } from "@tracemill/aws/record-store.ts";
import { type StackInfo, stackParameter } from "@tracemill/aws/stack.ts";
import { sendFolders } from "@tracemill/core/pipeline/sent-folders.ts";
import { createRun } from "@tracemill/core/run/runs.ts";
import { parseRunSpec } from "@tracemill/core/run/spec.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import { taskFoldersUnder } from "@tracemill/local/task-folder.ts";
import { startMoto } from "../../emulators/moto.ts";
import { createBucket, createTable, emulated } from "../../emulators/resources.ts";
import type { ServerProcess } from "../../emulators/server-process.ts";
import { tempDir } from "../../fakes/temp-dir.ts";

const program = resolve(import.meta.dirname, "../../../packages/jobs/src/main.ts");

export const stage = "test";

/** An emulated account with a bucket and a table, and a machine on which jobs run. */
export type Cloud = Awaited<ReturnType<typeof openCloud>>;

/** @param start the emulator; Batch's jobs of several containers want the peer. */
export async function openCloud(start: () => Promise<ServerProcess> = startMoto) {
  const moto = await start();
  const dir = await tempDir("tracemill-jobs-");
  const options = emulated(moto.endpoint);
  const bucket = `tracemill-${randomUUID()}`;
  const table = `tracemill-${randomUUID()}`;
  await createBucket(moto.endpoint, bucket);
  await createTable(dynamodbClient(options), table);
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: dir.path,
    AWS_ENDPOINT_URL: moto.endpoint,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test-secret-key",
    AWS_EC2_METADATA_DISABLED: "true",
    TRACEMILL_STAGE: stage,
    TRACEMILL_BUCKET: bucket,
    TRACEMILL_TABLE: table,
    TRACEMILL_WORK_DIR: join(dir.path, "work"),
  };
  return {
    dir: dir.path,
    env,
    options,
    objects: s3ObjectStore({ client: s3Client(options), bucket }),
    records: dynamoRecordStore({ client: dynamodbClient(options), table }),
    async [Symbol.asyncDispose]() {
      await moto.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Writes a folder of files; a name ending in `.sh` may be executed. */
export async function writeFolder(folder: string, files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { mode: name.endsWith(".sh") ? 0o755 : 0o644 });
  }
}

/** A task whose solution and tests take a while: each so many seconds. */
export function slowTask(name: string, seconds: number): Record<string, string> {
  return {
    "task.toml": `schema_version = "1.4"\n[task]\nname = "acme/${name}"\n`,
    "instruction.md": "Write 42 to /app/answer.txt\n",
    "environment/Dockerfile": "FROM debian:bookworm\nWORKDIR /app\n",
    "solution/solve.sh": `#!/bin/bash\nsleep ${seconds}\necho 42 >> /app/answer.txt\n`,
    "tests/test.sh": `#!/bin/bash\nsleep ${seconds}\n[ "$(cat /app/answer.txt)" = 42 ] && echo 1 > /logs/verifier/reward.txt || echo 0 > /logs/verifier/reward.txt\n`,
  };
}

/** Starts a run as `tracemill run --on aws` does, up to its execution. */
export async function startRun({ objects, records }: Cloud, spec: Record<string, unknown>): Promise<string> {
  const parsed = parseRunSpec(spec, "spec");
  const { runId } = await createRun(parsed, { objects, records, clock: systemClock });
  await sendFolders(runId, parsed, { objects, taskFolders: taskFoldersUnder });
  return runId;
}

export interface JobRun {
  stage: string;
  runId: string;
  target?: string;
  /** Default 1. */
  attempt?: number;
  jobId?: string;
  startedAt?: number;
  resumed?: boolean;
  env?: Record<string, string>;
}

export type LogLine = Record<string, unknown> & { level: string; message: string };

export interface JobDone {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Every line that the job wrote, parsed. */
  lines: LogLine[];
  stderr: string;
}

export interface RunningJob {
  child: ChildProcess;
  finished: Promise<JobDone>;
  /** Resolves once so many lines with this message were written. */
  logged(message: string, times?: number): Promise<void>;
}

/** Starts the entry point as Batch does: the definition's command filled in, and Batch's own variables. */
export function startJob(cloud: Cloud, job: JobRun): RunningJob {
  const { stage: name, runId, target = "-", startedAt = Date.now(), resumed = false } = job;
  const argv = [program, name, runId, target, `${runId}-1`, String(startedAt), String(resumed)];
  const { jobId = `job-${name}-${target}`, attempt = 1 } = job;
  const env = { ...cloud.env, AWS_BATCH_JOB_ID: jobId, AWS_BATCH_JOB_ATTEMPT: String(attempt), ...job.env };
  const child = spawn(process.execPath, argv, { env, cwd: cloud.dir, stdio: ["ignore", "pipe", "pipe"] });
  const lines: LogLine[] = [];
  const watchers = new Set<() => void>();
  let open = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (open + text).split("\n");
    open = parts.pop() ?? "";
    for (const part of parts) lines.push(JSON.parse(part) as LogLine);
    for (const watcher of watchers) watcher();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const finished = new Promise<JobDone>((settle) => {
    child.on("close", (code, signal) => {
      settle({ code, signal, lines, stderr });
    });
  });
  const logged = async (message: string, times = 1): Promise<void> => {
    const has = (): boolean => lines.filter((line) => line.message === message).length >= times;
    const seen = Promise.withResolvers<void>();
    const watcher = (): void => void (has() && seen.resolve());
    watchers.add(watcher);
    watcher();
    const early = finished.then((done) => {
      if (!has()) throw new Error(`the job ended without \`${message}\`: ${JSON.stringify(done)}`);
    });
    await Promise.race([seen.promise, early]);
    watchers.delete(watcher);
  };
  return { child, finished, logged };
}

export function runJob(cloud: Cloud, job: JobRun): Promise<JobDone> {
  return startJob(cloud, job).finished;
}

/** Runs jobs that have to end well. */
export async function runJobs(cloud: Cloud, ...jobs: JobRun[]): Promise<JobDone[]> {
  const done: JobDone[] = [];
  for (const job of jobs) {
    const ended = await runJob(cloud, job);
    if (ended.code !== 0) throw new Error(`${job.stage}: ${JSON.stringify(ended)}`);
    done.push(ended);
  }
  return done;
}

/** What a deployed stage says of itself, as far as jobs read it. */
export function stackOf({ env }: Cloud, parts: Partial<StackInfo> = {}): StackInfo {
  const size = { vcpus: 1, memoryMiB: 2_048, gpus: 0 };
  const target = (kind: string) => ({ queue: `queue-${kind}`, definition: `tracemill-${stage}-${kind}` });
  return {
    schemaVersion: 1,
    stage,
    region: "us-east-1",
    bucket: env.TRACEMILL_BUCKET,
    table: env.TRACEMILL_TABLE,
    stateMachineArn: `arn:aws:states:us-east-1:123456789012:stateMachine:tracemill-${stage}`,
    functions: {},
    ingestQueueUrl: "",
    ingestDeadLettersUrl: "",
    imageRepository: `123456789012.dkr.ecr.us-east-1.amazonaws.com/tracemill-${stage}/tasks`,
    secretPrefix: `tracemill/${stage}/`,
    jobs: {
      step: target("step"),
      container: target("container"),
      host: target("host"),
      sandbox: target("sandbox-"),
      image: target("image"),
    },
    onDemandQueues: {},
    logGroups: { jobs: "jobs", functions: "functions", stateMachine: "machine" },
    sizes: { step: size, container: size, host: size, gpu: size, sandbox: size, image: size },
    ...parts,
  };
}

/** Calls a service that speaks JSON. moto asks for no good signature; it finds the region in it. */
export async function callAws(
  { env }: Cloud,
  service: "ssm" | "ecr",
  target: string,
  body: unknown,
): Promise<void> {
  const scope = `${env.AWS_ACCESS_KEY_ID}/20260101/${env.AWS_REGION}/${service}/aws4_request`;
  const response = await fetch(env.AWS_ENDPOINT_URL, {
    method: "POST",
    headers: {
      "x-amz-target": target,
      "content-type": "application/x-amz-json-1.1",
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none`,
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
}

export function putStack(cloud: Cloud, stack: StackInfo): Promise<void> {
  const parameter = { Name: stackParameter(stage), Value: JSON.stringify(stack), Type: "String" };
  return callAws(cloud, "ssm", "AmazonSSM.PutParameter", { ...parameter, Overwrite: true });
}
