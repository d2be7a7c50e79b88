import { SubmitJobCommand } from "@aws-sdk/client-batch";
import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { CreateStateMachineCommand } from "@aws-sdk/client-sfn";
import { ReceiveMessageCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { batchClient } from "@tracemill/aws/clients/batch.ts";
import { cloudwatchLogsClient } from "@tracemill/aws/clients/cloudwatch-logs.ts";
import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { sfnClient } from "@tracemill/aws/clients/sfn.ts";
import { sqsClient } from "@tracemill/aws/clients/sqs.ts";
import { type Execution, sfnExecutions } from "@tracemill/aws/control/executions.ts";
import { cloudwatchLogs } from "@tracemill/aws/control/logs.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pythonMissing } from "../venv.ts";
import type { PeerJob } from "./control.ts";
import { container, miniDefinition, miniMachine, miniProgram, miniStack } from "./mini-stack.ts";
import { clientOptions, deployTemplate } from "./stack.ts";
import { type Peer, startPeer } from "./start.ts";
import { until } from "./until.ts";

/** A task that submits a job, with a parameter more. */
const submitting = (more: object) => ({
  Type: "Task",
  Resource: "arn:aws:states:::batch:submitJob.sync",
  Parameters: { JobName: "x", JobQueue: "mini", JobDefinition: "mini", ...more },
  Next: "what next?",
});

const missing = await pythonMissing();

describe.skipIf(missing !== undefined)(`the emulated cloud${missing ? ` (${missing})` : ""}`, () => {
  let peer: Peer;
  let stateMachineArn: string;

  beforeAll(async () => {
    peer = await startPeer({ programs: [miniProgram], stopGraceSeconds: 1 });
    await deployTemplate(peer, "mini", miniStack());
    stateMachineArn = await makeMachine("mini", miniMachine);
  });
  afterAll(() => peer.close());

  async function makeMachine(name: string, definition: object): Promise<string> {
    const command = new CreateStateMachineCommand({
      name,
      roleArn: "arn:aws:iam::123456789012:role/mini",
      definition: JSON.stringify(definition),
    });
    const { stateMachineArn: arn } = await sfnClient(clientOptions(peer)).send(command);
    return arn ?? "";
  }

  /** Starts an execution over rounds of items; each item is what its job is to do. */
  async function begin(name: string, ...rounds: { name: string; what: string }[][]) {
    const objects = s3ObjectStore({ client: s3Client(clientOptions(peer)), bucket: "mini" });
    const keys = rounds.map((_, index) => `${name}/${index}.json`);
    for (const [index, key] of keys.entries()) {
      await objects.putIfAbsent(key, Buffer.from(JSON.stringify(rounds[index])));
    }
    const executions = sfnExecutions(sfnClient(clientOptions(peer)));
    return executions.start({ stateMachineArn, name, input: { rounds: keys } });
  }

  async function ended(arn: string): Promise<Execution> {
    const executions = sfnExecutions(sfnClient(clientOptions(peer)));
    return until(async () => {
      const execution = await executions.describe(arn);
      return execution?.status === "RUNNING" ? undefined : execution;
    });
  }

  async function running(name: string): Promise<void> {
    await until(async () =>
      (await peer.control.jobs()).find((j) => j.jobName === name && j.status === "RUNNING"),
    );
  }

  async function invoke(name: string, event: object): Promise<unknown> {
    const client = new LambdaClient(clientOptions(peer));
    const { Payload } = await client.send(
      new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) }),
    );
    return JSON.parse(Buffer.from(Payload ?? []).toString());
  }

  async function jobOf(name: string) {
    const job = (await peer.control.jobs()).find(({ jobName }) => jobName === name);
    if (job === undefined) throw new Error(`no job ${name}`);
    return job;
  }

  async function logOf(job: PeerJob): Promise<string[]> {
    const logs = cloudwatchLogs(cloudwatchLogsClient(clientOptions(peer)), { clock: systemClock });
    const lines = await logs.tail("/aws/batch/job", job.container.logStreamName ?? "", 10);
    return lines.map(({ message }) => message);
  }

  /** What `mini-record` was given: the failed items, and why. */
  async function recorded(name: string): Promise<{ Error: string; Cause: string } | undefined> {
    type Event = { name: string; error: { Error: string; Cause: string } };
    const events = (await peer.control.invocations())
      .filter((invocation) => invocation.function === "mini-record")
      .map(({ event }) => event as Event);
    return events.find((event) => event.name === name)?.error;
  }

  test("a loop of maps runs a job for each item, with its parameters, environment and log", async () => {
    const arn = await begin(
      "loop",
      [{ name: "loop-a", what: "succeed" }],
      [{ name: "loop-b", what: "succeed" }],
    );
    expect(await ended(arn)).toMatchObject({ status: "SUCCEEDED" });
    const job = await jobOf("loop-b");
    expect(job).toMatchObject({ status: "SUCCEEDED", container: { exitCode: 0 } });
    expect(await logOf(job)).toEqual(["attempt 1 of loop-b in mini: succeed Ref::absent"]);
  });

  test("a job that fails is caught with what Batch says of it, and the others go on", async () => {
    const items = [
      { name: "fails", what: "fail" },
      { name: "goes-on", what: "succeed" },
    ];
    expect(await ended(await begin("fails", items))).toMatchObject({ status: "SUCCEEDED" });
    const error = await recorded("fails");
    expect(error?.Error).toBe("States.TaskFailed");
    expect(JSON.parse(error?.Cause ?? "")).toMatchObject({
      JobName: "fails",
      Status: "FAILED",
      StatusReason: "Essential container in task exited",
      Container: { ExitCode: 1 },
      Attempts: [{ Container: { ExitCode: 1 } }],
      Parameters: { target: "fails", what: "fail" },
    });
    expect(await jobOf("goes-on")).toMatchObject({ status: "SUCCEEDED" });
  });

  test("a map fails when more of its items failed than it tolerates", async () => {
    const arn = await begin("untolerated", [{ name: "unrecorded", what: "fail" }]);
    expect(await ended(arn)).toMatchObject({
      status: "FAILED",
      error: "States.ExceedToleratedFailureThreshold",
    });
  });

  test("the retry strategy tells an interruption from a failure", async () => {
    const reason = "Your Spot Task was interrupted.";
    await peer.control.jobFault({ name: "taken", statusReason: reason, afterMs: 100 });
    const items = [
      { name: "taken", what: "taken-once" },
      { name: "gave-up", what: "interrupted-once" },
    ];
    expect(await ended(await begin("interrupted", items))).toMatchObject({ status: "SUCCEEDED" });
    const [first, second] = (await jobOf("taken")).attempts;
    expect(first).toMatchObject({ statusReason: reason });
    expect(first?.container.exitCode).toBeUndefined();
    expect(second?.container.exitCode).toBe(0);
    expect((await jobOf("gave-up")).attempts.map(({ container }) => container.exitCode)).toEqual([75, 0]);
    expect((await jobOf("fails")).attempts).toHaveLength(1);
  });

  test("a stopped execution stops its children and terminates their jobs", async () => {
    const items = [
      { name: "polite", what: "wait" },
      { name: "stubborn", what: "stubborn" },
      { name: "never-begun", what: "wait" },
    ];
    const arn = await begin("stopped", items);
    await running("polite");
    await running("stubborn");
    await sfnExecutions(sfnClient(clientOptions(peer))).stop(arn, { cause: "the user said so" });
    expect(await ended(arn)).toMatchObject({ status: "ABORTED", cause: "the user said so" });
    for (const [name, exitCode] of [["polite", 143] as const, ["stubborn", 137] as const]) {
      const job = await until(async () => {
        const found = await jobOf(name);
        return found.status === "FAILED" ? found : undefined;
      });
      expect(job.attempts.map(({ container }) => container.exitCode)).toEqual([exitCode]);
    }
    expect(await logOf(await jobOf("polite"))).toContain("told to stop");
    expect(await recorded("polite")).toBeUndefined();
  });

  test("an image that is nowhere fails the job as Batch says it", async () => {
    await deployTemplate(peer, "absent", {
      Definition: {
        Type: "AWS::Batch::JobDefinition",
        Properties: { ...miniDefinition("absent"), ContainerProperties: container("example/absent:1") },
      },
    });
    const submitted = await batchClient(clientOptions(peer)).send(
      new SubmitJobCommand({ jobName: "absent", jobQueue: "mini", jobDefinition: "absent" }),
    );
    expect(submitted.jobName).toBe("absent");
    const job = await until(async () => {
      const found = await jobOf("absent");
      return found.status === "FAILED" ? found : undefined;
    });
    expect(job.container.reason).toContain("CannotPullContainerError");
  });

  /** Events that reached the listener and hold this text. */
  async function heard(text: string): Promise<string[]> {
    return (await peer.control.invocations())
      .filter((invocation) => invocation.function === "mini-listener")
      .map(({ event }) => JSON.stringify(event))
      .filter((event) => event.includes(text));
  }

  test("a queue calls its function in batches; what fails again and again becomes a dead letter", async () => {
    const sqs = sqsClient(clientOptions(peer));
    const urlOf = (name: string) => `${peer.endpoint}/123456789012/${name}`;
    for (const body of ["good", "poison"]) {
      await sqs.send(new SendMessageCommand({ QueueUrl: urlOf("mini-messages"), MessageBody: body }));
    }
    const dead = await until(async () => {
      const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: urlOf("mini-dead") }));
      return Messages?.[0];
    });
    expect(dead.Body).toBe("poison");
    expect(await heard("poison")).toHaveLength(2);
    expect(await heard("good")).toHaveLength(1);
  });

  test("a table's stream calls its function with the rows that pass its filter", async () => {
    const table = dynamodbClient(clientOptions(peer));
    for (const sk of ["trial#1", "shard#1"]) {
      const Item = { pk: { S: "run#1" }, sk: { S: sk }, tried: { N: "1" } };
      await table.send(new PutItemCommand({ TableName: "mini", Item }));
    }
    const [event] = await until(async () => {
      const events = await heard("shard#1");
      return events.length > 0 ? events : undefined;
    });
    const { Records } = JSON.parse(event ?? "") as { Records: unknown[] };
    const image = { pk: { S: "run#1" }, sk: { S: "shard#1" }, tried: { N: "1" } };
    expect(Records).toMatchObject([{ eventName: "INSERT", dynamodb: { NewImage: image } }]);
    expect(await heard("trial#1")).toEqual([]);
  });

  test("rules hear of executions that were stopped", async () => {
    const arn = await begin("heard-of", [{ name: "unheard", what: "wait" }]);
    await running("unheard");
    await sfnExecutions(sfnClient(clientOptions(peer))).stop(arn, { cause: "enough" });
    const [event] = await until(async () => {
      const events = await heard(arn);
      return events.length > 0 ? events : undefined;
    });
    expect(JSON.parse(event ?? "")).toMatchObject({
      source: "aws.states",
      detail: { executionArn: arn, status: "ABORTED", cause: "enough", name: "heard-of" },
    });
  });

  test("a function whose answer got lost is run again by the machine", async () => {
    await peer.control.functionFault({ function: "mini-record", times: 1, kind: "lost-answer" });
    await peer.control.functionFault({ function: "mini-collect", times: 1, kind: "lost-answer" });
    const arn = await begin("lost", [{ name: "lost", what: "succeed" }]);
    expect(await ended(arn)).toMatchObject({ status: "SUCCEEDED" });
    await peer.control.clearFaults();
  });

  test("a function that takes too long is ended, and its caller told so", async () => {
    await peer.control.functionTimeout("mini-sleeper", 0.3);
    const answer = await invoke("mini-sleeper", {});
    expect(answer).toMatchObject({ errorType: "Sandbox.Timedout" });
  });

  test("faults of services meet the SDK as AWS's own do", async () => {
    await peer.control.serviceFault({ service: "s3", calls: 2, answer: "slow-down" });
    const objects = s3ObjectStore({ client: s3Client(clientOptions(peer)), bucket: "mini" });
    await objects.put("after-503", Buffer.from("whole"));
    expect(await peer.control.faultHits()).toBe(2);
    await peer.control.clearFaults();
  });

  test.each([
    ["a field of a state", { ...miniMachine.States.collect, HeartbeatSecondsPath: "$.x" }],
    ["a field of Retry", { ...miniMachine.States.collect, Retry: [{ ErrorEquals: ["a"], Tries: 3 }] }],
    ["a parameter of submitJob", submitting({ JobNames: "x" })],
    ["a type of state", { Type: "Dance", Next: "what next?" }],
  ])("a machine with %s that the interpreter does not know is refused", async (_, collect) => {
    const definition = { ...miniMachine, States: { ...miniMachine.States, collect } };
    await expect(makeMachine("refused", definition)).rejects.toMatchObject({ name: "InvalidDefinition" });
  });
});
