import { CreateSecretCommand } from "@aws-sdk/client-secrets-manager";
import { CreateStateMachineCommand, DescribeExecutionCommand } from "@aws-sdk/client-sfn";
import { CreateQueueCommand } from "@aws-sdk/client-sqs";
import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { secretsManagerClient } from "@tracemill/aws/clients/secrets-manager.ts";
import { sfnClient } from "@tracemill/aws/clients/sfn.ts";
import { sqsClient } from "@tracemill/aws/clients/sqs.ts";
import { executionArn } from "@tracemill/aws/control/execution-arn.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import type { CollectResult } from "@tracemill/aws/pipeline/messages.ts";
import { dynamoRecordStore } from "@tracemill/aws/record-store.ts";
import { stackParameter } from "@tracemill/aws/stack.ts";
import { sqsWorkQueue } from "@tracemill/aws/work-queue.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import { emptyTally } from "@tracemill/core/run/tally.ts";
import { readJson } from "@tracemill/core/stored-json.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleHandlers } from "../../packages/functions/test/bundles.ts";
import { fullStack, sqsEvent } from "../../packages/functions/test/fakes.ts";
import { startMoto } from "../emulators/moto.ts";
import { createBucket, createTable, emulated } from "../emulators/resources.ts";
import type { ServerProcess } from "../emulators/server-process.ts";
import { pythonMissing } from "../emulators/venv.ts";
import { type TempDir, tempDir } from "../fakes/temp-dir.ts";
import { type ProductionApi, startProductionApi } from "../servers/production-api.ts";

/** The first use of an emulator fetches it. */
const fetchMs = 300_000;

const stage = "contract";
const region = "us-east-1";
const bucket = "tracemill-functions";
const table = "tracemill-functions";
const secretPrefix = `tracemill/${stage}/`;
const taskIds = Array.from({ length: 9 }, (_, index) => `task-${index + 1}`);

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

/** The deployed bundles, with the environment and the clients that they have in a deployment. */
class World {
  readonly moto: ServerProcess;
  readonly api: ProductionApi;
  readonly dir: TempDir;
  readonly #handlers: Map<string, string>;
  stateMachineArn = "";
  queueUrl = "";

  constructor(moto: ServerProcess, api: ProductionApi, dir: TempDir, handlers: Map<string, string>) {
    this.moto = moto;
    this.api = api;
    this.dir = dir;
    this.#handlers = handlers;
  }

  get options() {
    return emulated(this.moto.endpoint);
  }

  get objects() {
    return s3ObjectStore({ client: s3Client(this.options), bucket });
  }

  get records() {
    return dynamoRecordStore({ client: dynamodbClient(this.options), table });
  }

  get queue() {
    return sqsWorkQueue({ client: sqsClient(this.options), queueUrl: this.queueUrl });
  }

  /** Calls a function as Lambda does. The export comes from its source: DuckDB lies beside no bundle here. */
  async invoke<R>(name: string, event: unknown, remainingMs = 60_000): Promise<R> {
    const path =
      name === "export-small" ? `@tracemill/functions/handlers/${name}.ts` : this.#handlers.get(name);
    const { handler } = (await import(/* @vite-ignore */ path ?? name)) as { handler: Handler };
    const end = Date.now() + remainingMs;
    const context = {
      awsRequestId: crypto.randomUUID(),
      functionName: name,
      functionVersion: "1",
      invokedFunctionArn: `arn:aws:lambda:${region}:000000000000:function:${name}`,
      memoryLimitInMB: "512",
      getRemainingTimeInMillis: () => end - Date.now(),
    };
    return (await handler(JSON.parse(JSON.stringify(event)), context)) as R;
  }

  async close(): Promise<void> {
    await this.api.close();
    await this.moto.close();
    await this.dir[Symbol.asyncDispose]();
  }
}

async function openWorld(): Promise<World> {
  const dir = await tempDir();
  const bundles = await bundleHandlers(dir.path);
  const moto = await startMoto();
  const api = await startProductionApi({
    tasks: taskIds.map((id) => ({ id, status: "done", prompt: `Do ${id}` })),
    solutions: Object.fromEntries(taskIds.map((id) => [id, [solution(id)]])),
  });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: moto.endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    TRACEMILL_STAGE: stage,
    TRACEMILL_BUCKET: bucket,
    TRACEMILL_TABLE: table,
    POWERTOOLS_LOG_LEVEL: "SILENT",
    POWERTOOLS_METRICS_DISABLED: "true",
  });
  const world = new World(moto, api, dir, new Map(bundles.map(({ name, path }) => [name, path])));
  await deploy(world);
  return world;
}

function solution(taskId: string) {
  const steps = [{ message: "Done." }];
  return {
    id: `s-${taskId}`,
    task_id: taskId,
    agent: "prod",
    model: "acme/small",
    steps,
    evaluation: { status: "passed", score: 1 },
  };
}

async function deploy(world: World): Promise<void> {
  const { options, moto } = world;
  await createBucket(moto.endpoint, bucket);
  await createTable(dynamodbClient(options), table);
  await secretsManagerClient(options).send(
    new CreateSecretCommand({ Name: `${secretPrefix}PROD_API_TOKEN`, SecretString: "secret-token" }),
  );
  const { QueueUrl = "" } = await sqsClient(options).send(new CreateQueueCommand({ QueueName: "ingest" }));
  world.queueUrl = QueueUrl;
  const machine = await sfnClient(options).send(
    new CreateStateMachineCommand({
      name: "tracemill-contract",
      roleArn: "arn:aws:iam::000000000000:role/machine",
      definition: JSON.stringify({ StartAt: "end", States: { end: { Type: "Succeed" } } }),
    }),
  );
  world.stateMachineArn = machine.stateMachineArn ?? "";
  const stack = {
    ...fullStack,
    stage,
    region,
    bucket,
    table,
    secretPrefix,
    stateMachineArn: world.stateMachineArn,
    ingestQueueUrl: QueueUrl,
  };
  await putParameter(moto.endpoint, stackParameter(stage), JSON.stringify(stack));
}

/** moto finds the service in the header and asks for no signature. */
async function putParameter(endpoint: string, Name: string, Value: string): Promise<void> {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "AmazonSSM.PutParameter",
      authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${region}/ssm/aws4_request`,
    },
    body: JSON.stringify({ Name, Value, Type: "String" }),
  });
  if (!response.ok) throw new Error(`parameter ${Name}: ${response.status} ${await response.text()}`);
}

const missing = await pythonMissing();
const title = missing === undefined ? "the functions" : `the functions (skipped: ${missing})`;

describe.skipIf(missing !== undefined)(title, () => {
  let opened: World | undefined;
  let runId = "";
  beforeAll(async () => {
    opened = await openWorld();
  }, fetchMs);
  afterAll(() => opened?.close());
  const world = (): World => {
    if (opened === undefined) throw new Error("no world");
    return opened;
  };
  const input = (number = 1) => ({ runId, execution: `${runId}-${number}`, startedAt: 1, resumed: false });
  const get = async (rawPath: string) => {
    const event = { rawPath, requestContext: { http: { method: "GET" } } };
    const { body } = await world().invoke<{ body: string }>("api", event);
    return JSON.parse(body);
  };

  test("mirror a source over several invocations, which the queue leads from one to the next", async () => {
    const { api, queue } = world();
    const ingest = <R>(event: unknown) => world().invoke<R>("ingest", event, 1_000);
    // Slow enough that a second is too short for all of it.
    const source = { name: "prod", baseUrl: api.url, taskPageSize: 2, concurrency: 1, sleepMs: 60 };
    let result = await ingest<{ status: string }>({ source, firing: "night-1" });
    let hops = 0;
    while (result.status === "continued" && hops < 20) {
      hops += 1;
      const [message] = await queue.receive({ max: 1, waitMs: 2_000 });
      const event = sqsEvent([JSON.stringify(message?.body)]);
      expect(await ingest(event)).toEqual({ batchItemFailures: [] });
      await message?.acknowledge();
      result = await ingest({ source, firing: "night-1" });
    }
    expect(result).toMatchObject({ status: "complete" });
    expect(hops).toBeGreaterThan(0);
  });

  test("start a run for the new snapshot, once", async () => {
    const { objects, records, options, stateMachineArn } = world();
    const spec = {
      name: "nightly",
      tasks: ["snapshot:prod"],
      agents: [{ name: "recorded" }],
      export: { name: "nightly", formats: ["trials"] },
    };
    await objects.put(objectKeys.storedSpec("nightly"), Buffer.from(JSON.stringify(spec)));
    const cursor = (await records.get(recordKeys.cursor("prod")))?.data as { snapshotId: string };
    const event = { spec: "nightly", source: "prod", snapshotId: cursor.snapshotId };
    const first = await world().invoke<{ runId: string }>("start-run", event);
    expect(await world().invoke("start-run", event)).toEqual(first);
    runId = first.runId;
    const arn = executionArn(stateMachineArn, `${runId}-1`);
    const described = await sfnClient(options).send(new DescribeExecutionCommand({ executionArn: arn }));
    expect(JSON.parse(described.input ?? "")).toMatchObject({ runId, resumed: false });
    expect((await get("/runs")).runs).toMatchObject([{ runId, name: "nightly", status: "running" }]);
  });

  test("plan the run, and list the shards that are to be worked on", async () => {
    for (const step of ["ingest", "prepare", "plan"])
      expect(await world().invoke(step, input())).toEqual({ unfinished: false });
    const round = await world().invoke<CollectResult>("collect", { ...input(), round: 0 });
    if (round.next !== "shards") throw new Error(`next is ${round.next}`);
    expect(round.list).toMatchObject({ bucket, count: 1 });
    const [item] = (await readJson(world().objects, round.list.key)) as { shardId: string }[];
    expect(item).toMatchObject({ runId, traced: false, trace: { queue: "queue-container" } });
  });

  test("sum what the workers report", async () => {
    const { objects, records } = world();
    const { shards } = (await readJson(objects, objectKeys.runShards(runId))) as {
      shards: { shardId: string }[];
    };
    const [{ shardId } = { shardId: "" }] = shards;
    const key = recordKeys.shard(runId, shardId);
    const tally = { ...emptyTally(), ended: 4, attempts: 4, outcomes: { scored: 4 } };
    const updatedAt = new Date().toISOString();
    await records.put(key, { schemaVersion: 1, shardId, updatedAt, tally, failures: [] }, "any");
    const Keys = { pk: { S: key.pk }, sk: { S: key.sk } };
    const dynamodb = { Keys, SequenceNumber: "1", ApproximateCreationDateTime: Date.now() / 1_000 };
    const event = { Records: [{ eventName: "MODIFY", eventSource: "aws:dynamodb", dynamodb }] };
    expect(await world().invoke("progress", event)).toEqual({ batchItemFailures: [] });
    expect((await get(`/runs/${runId}`)).progress.tally).toMatchObject({ ended: 4, outcomes: { scored: 4 } });
  });

  test("record a shard that failed for good, and stop the run with its reason", async () => {
    const { shards } = (await readJson(world().objects, objectKeys.runShards(runId))) as {
      shards: { shardId: string }[];
    };
    const target = shards[0]?.shardId ?? "";
    const Container = {
      Reason: "OutOfMemoryError: Container killed due to memory usage",
      LogStreamName: "none",
    };
    const Cause = JSON.stringify({
      JobId: "job-1",
      StatusReason: "Essential container in task exited",
      Container,
    });
    const error = { Error: "States.TaskFailed", Cause };
    const { execution } = input();
    await world().invoke("record-failure", { runId, execution, stage: "trace", target, error });
    const round = await world().invoke<CollectResult>("collect", { ...input(), round: 1 });
    expect(round).toMatchObject({ next: "stopped", reason: expect.stringContaining("ran out of memory") });
    const reason = round.next === "stopped" ? round.reason : "";
    await world().invoke("end-run", { runId, execution, status: "stopped", reason });
    expect((await get(`/runs/${runId}`)).run).toMatchObject({ status: "stopped", reason });
  });

  test("keep that reason when the execution's end is told", async () => {
    const detail = {
      executionArn: executionArn(world().stateMachineArn, `${runId}-1`),
      stateMachineArn: world().stateMachineArn,
      name: `${runId}-1`,
      status: "FAILED",
    };
    // The emulated stage has no queues with jobs in them; that the run stays as it is comes first.
    const event = { "detail-type": "Step Functions Execution Status Change", source: "aws.states", detail };
    await world()
      .invoke("record-failure", event)
      .catch((error: Error) => {
        expect(error.message).toMatch(/no such job queue/);
      });
    expect((await get(`/runs/${runId}`)).run.reason).toContain("ran out of memory");
  });

  test("write a dataset, and name it where the run ends", async () => {
    expect(await world().invoke("export-small", input())).toEqual({ unfinished: false });
    await world().invoke("end-run", {
      ...input(),
      status: "finished",
      startedAt: undefined,
      resumed: undefined,
    });
    const { run } = await get(`/runs/${runId}`);
    const { datasets } = await get("/datasets");
    expect(run).toMatchObject({ status: "finished", dataset: datasets[0]?.prefix });
    const manifest = (await readJson(world().objects, `${run.dataset}manifest.json`)) as { files: unknown[] };
    expect(manifest.files.length).toBeGreaterThan(1);
  });

  test("say what is wrong with an event that is none of theirs", async () => {
    await expect(world().invoke("plan", { runId: 5 })).rejects.toThrow(/^input of plan: `runId`/);
  });
});
