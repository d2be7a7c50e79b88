import {
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { CreateRepositoryCommand, PutImageCommand } from "@aws-sdk/client-ecr";
import { CreateStateMachineCommand } from "@aws-sdk/client-sfn";
import { cloudwatchLogsClient } from "@tracemill/aws/clients/cloudwatch-logs.ts";
import { ecrClient } from "@tracemill/aws/clients/ecr.ts";
import { sfnClient } from "@tracemill/aws/clients/sfn.ts";
import { ssmClient } from "@tracemill/aws/clients/ssm.ts";
import { sfnExecutions } from "@tracemill/aws/control/executions.ts";
import { ecrImages } from "@tracemill/aws/control/images.ts";
import { cloudwatchLogs } from "@tracemill/aws/control/logs.ts";
import { readStack } from "@tracemill/aws/control/stack-lookup.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startMoto } from "../emulators/moto.ts";
import { emulated } from "../emulators/resources.ts";
import type { ServerProcess } from "../emulators/server-process.ts";
import { putParameter, stackInfo } from "../emulators/stack-info.ts";
import { pythonMissing } from "../emulators/venv.ts";

const missing = await pythonMissing();

describe.skipIf(missing !== undefined)(`moto${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  let server: ServerProcess | undefined;
  beforeAll(async () => {
    server = await startMoto();
  }, 300_000);
  afterAll(() => server?.close());
  const options = () => emulated(server?.endpoint ?? "");

  describe("the stack's parameter", () => {
    test("is read whole", async () => {
      const info = stackInfo({ stage: "whole" });
      await putParameter(server?.endpoint ?? "", "whole", JSON.stringify(info));
      expect(await readStack(ssmClient(options()), "whole")).toEqual(info);
    });

    test("that is not there says how to deploy the stage, and where it was looked for", async () => {
      await expect(readStack(ssmClient(options()), "absent")).rejects.toMatchObject({
        code: "not-found",
        message: expect.stringMatching(/absent is not deployed in us-east-1.*npx sst deploy --stage absent/),
      });
    });

    test.each([
      ["newer", JSON.stringify({ schemaVersion: 2 }), "store-newer", /newer version of Tracemill/],
      ["broken", "{", "storage-corrupt", /deploy it again/],
      ["older", JSON.stringify({ schemaVersion: 1 }), "storage-corrupt", /`stage`.*is missing/],
    ])("that is %s says so", async (stage, value, code, message) => {
      await putParameter(server?.endpoint ?? "", stage, value);
      await expect(readStack(ssmClient(options()), stage)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    });
  });

  describe("executions", () => {
    const input = { runId: "run_A", execution: "run_A-1" };

    async function stateMachine(name: string) {
      const client = sfnClient(options());
      const definition = JSON.stringify({ StartAt: "a", States: { a: { Type: "Pass", End: true } } });
      const roleArn = "arn:aws:iam::123456789012:role/x";
      const made = await client.send(new CreateStateMachineCommand({ name, definition, roleArn }));
      return { executions: sfnExecutions(client), stateMachineArn: made.stateMachineArn ?? "" };
    }

    test("a start that is repeated with the same input is one execution, running or ended", async () => {
      const { executions, stateMachineArn } = await stateMachine("once");
      const arn = await executions.start({ stateMachineArn, name: "run_A-1", input });
      expect(await executions.start({ stateMachineArn, name: "run_A-1", input })).toBe(arn);
      await executions.stop(arn, { cause: "test" });
      expect(await executions.start({ stateMachineArn, name: "run_A-1", input })).toBe(arn);
      expect(await Array.fromAsync(executions.list(stateMachineArn))).toHaveLength(1);
    });

    test("a name that was used with another input is a conflict that says how to go on", async () => {
      const { executions, stateMachineArn } = await stateMachine("conflict");
      const arn = await executions.start({ stateMachineArn, name: "run_A-1", input });
      await executions.stop(arn, { cause: "test" });
      await expect(
        executions.start({ stateMachineArn, name: "run_A-1", input: { ...input, runId: "run_B" } }),
      ).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("tracemill resume") });
    });

    test("a stopped execution says so; stopping it again, or one that never was, is no error", async () => {
      const { executions, stateMachineArn } = await stateMachine("stopped");
      const arn = await executions.start({ stateMachineArn, name: "run_A-1", input });
      await executions.stop(arn, { cause: "the cap was reached", error: "Tracemill.Stopped" });
      await executions.stop(arn, { cause: "again" });
      await executions.stop(`${arn}0`, { cause: "never" });
      expect(await executions.describe(arn)).toMatchObject({
        name: "run_A-1",
        status: "ABORTED",
        input,
        stoppedAt: expect.any(Number),
      });
      expect(await executions.describe(`${arn}0`)).toBeUndefined();
    });

    test("only those of a status are listed", async () => {
      const { executions, stateMachineArn } = await stateMachine("listed");
      const first = await executions.start({ stateMachineArn, name: "run_A-1", input });
      await executions.start({ stateMachineArn, name: "run_B-1", input });
      await executions.stop(first, { cause: "test" });
      const running = await Array.fromAsync(executions.list(stateMachineArn, { status: "RUNNING" }));
      expect(running.map(({ name }) => name)).toEqual(["run_B-1"]);
    });

    test("an input beyond 256 KiB is refused before it is sent", async () => {
      const { executions, stateMachineArn } = await stateMachine("large");
      const large = { text: "é".repeat(131_072) };
      await expect(
        executions.start({ stateMachineArn, name: "run_A-1", input: large }),
      ).rejects.toMatchObject({ code: "invalid-input", message: expect.stringContaining("262144") });
    });

    test("a state machine that is not there says to deploy", async () => {
      const { executions, stateMachineArn } = await stateMachine("there");
      const gone = { stateMachineArn: `${stateMachineArn}-gone`, name: "run_A-1", input };
      await expect(executions.start(gone)).rejects.toMatchObject({ code: "not-found" });
      await expect(Array.fromAsync(executions.list(gone.stateMachineArn))).rejects.toMatchObject({
        code: "not-found",
      });
    });
  });

  describe("images", () => {
    test("those that a repository lacks are named, 250 of them as well as one", async () => {
      const client = ecrClient(options());
      const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
      const manifest = { schemaVersion: 2, mediaType, layers: [] };
      await client.send(new CreateRepositoryCommand({ repositoryName: "tasks" }));
      await client.send(
        new PutImageCommand({
          repositoryName: "tasks",
          imageTag: "env-1",
          imageManifest: JSON.stringify(manifest),
        }),
      );
      const images = ecrImages(client);
      expect(await images.missing("tasks", ["env-1", "env-2", "env-2"])).toEqual(["env-2"]);
      const many = Array.from({ length: 250 }, (_, index) => `env-${index}`);
      expect(await images.missing("123456789012.dkr.ecr.us-east-1.amazonaws.com/tasks", many)).toHaveLength(
        249,
      );
    });

    test("a repository that is not there says to deploy", async () => {
      const missingImages = ecrImages(ecrClient(options())).missing("absent", ["env-1"]);
      await expect(missingImages).rejects.toMatchObject({ code: "not-found" });
    });
  });

  test("log lines of several streams come by time, those that hold a text alone when it is asked for", async () => {
    const client = cloudwatchLogsClient(options());
    const logGroupName = "/tracemill/logs/jobs";
    await client.send(new CreateLogGroupCommand({ logGroupName }));
    const start = Date.now() - 60_000;
    for (const [index, logStreamName] of ["a", "b"].entries()) {
      await client.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
      const logEvents = [0, 1, 2].map((at) => ({
        timestamp: start + 2_000 * at + 1_000 * index,
        message: `{"runId":"run_${index}","line":${at}}`,
      }));
      await client.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents }));
    }
    const logs = cloudwatchLogs(client, { clock: systemClock });
    const read = await Array.fromAsync(logs.read({ group: logGroupName, since: start }));
    expect(read.map(({ stream }) => stream)).toEqual(["a", "b", "a", "b", "a", "b"]);
    const some = logs.read({ group: logGroupName, since: start + 1, containing: "run_0" });
    expect(await Array.fromAsync(some, ({ stream }) => stream)).toEqual(["a", "a"]);
    expect((await logs.tail(logGroupName, "b", 2)).map(({ at }) => at)).toEqual([
      start + 3_000,
      start + 5_000,
    ]);
    expect(await logs.tail(logGroupName, "absent", 2)).toEqual([]);
  });
});
