import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { batchClient } from "@tracemill/aws/clients/batch.ts";
import { jobDefinitions } from "@tracemill/aws/control/job-definitions.ts";
import { batchJobs } from "@tracemill/aws/control/jobs.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPeer } from "../../emulators/peer/start.ts";
import { pythonMissing } from "../../emulators/venv.ts";
import {
  type Cloud,
  callAws,
  openCloud,
  putStack,
  runJob,
  runJobs,
  slowTask,
  stackOf,
  startRun,
  writeFolder,
} from "./cloud.ts";
import { shardsOf } from "./trials.ts";

const missing = await pythonMissing();
const title = missing === undefined ? "the image job" : `the image job (skipped: ${missing})`;

const fakeDocker = `#!/bin/sh
echo "$*" >> "$HOME/calls"
cat > /dev/null
if [ -f "$HOME/script-$1" ]; then . "$HOME/script-$1"; fi
`;

describe.skipIf(missing !== undefined)(title, () => {
  let cloud: Cloud;
  let runId: string;
  let environment: string;
  const stack = () => stackOf(cloud);
  const definitions = () => jobDefinitions(batchClient(cloud.options));
  const job = () => ({ stage: "image", runId, target: environment, env: path() });
  const path = () => ({ PATH: `${join(cloud.dir, "bin")}:${cloud.env.PATH}` });

  beforeAll(async () => {
    cloud = await openCloud(startPeer);
    await mkdir(join(cloud.dir, "bin"));
    await writeFile(join(cloud.dir, "bin/docker"), fakeDocker, { mode: 0o755 });
    await putStack(cloud, stack());
    await callAws(cloud, "ecr", "AmazonEC2ContainerRegistry_V20150921.CreateRepository", {
      repositoryName: "tracemill-test/tasks",
    });
    await batchJobs(batchClient(cloud.options)).register(base(`${stack().jobs.sandbox.definition}base`));
    await writeFolder(join(cloud.dir, "tasks/one"), slowTask("one", 0));
    runId = await startRun(cloud, {
      name: "images",
      tasks: [join(cloud.dir, "tasks")],
      agents: [{ name: "oracle" }],
      sandbox: "job",
    });
    await runJobs(cloud, ...["ingest", "prepare", "plan"].map((stage) => ({ stage, runId })));
    environment = (await shardsOf(runId, cloud))[0]?.environment ?? "";
  }, 300_000);
  afterAll(() => cloud?.[Symbol.asyncDispose]());

  test("of a Dockerfile that does not build ends with the failing line", async () => {
    await writeFile(
      join(cloud.dir, "script-build"),
      'echo "E: Unable to locate package nosuch"; echo "The command apt-get returned a non-zero code: 100"; exit 1\n',
    );
    const done = await runJob(cloud, job());
    expect(done.code).toBe(1);
    expect(done.lines.at(-1)).toMatchObject({
      level: "error",
      reason: expect.stringMatching(
        /^building environment\/Dockerfile of task acme\/one: .*code: 100; last output: E: Unable to locate package nosuch$/,
      ) as unknown,
    });
    expect(await definitions().newest(`${stack().jobs.sandbox.definition}${environment}`)).toBeUndefined();
  });

  test("whose registry is busy is to be run again", async () => {
    await writeFile(
      join(cloud.dir, "script-build"),
      'echo "ERROR: toomanyrequests: Rate exceeded"; exit 1\n',
    );
    const done = await runJob(cloud, job());
    expect(done.code).toBe(75);
    expect(done.lines.at(-1)).toMatchObject({
      level: "error",
      reason: expect.stringContaining("toomanyrequests") as unknown,
    });
  });

  test("builds, pushes, and registers a definition of ten containers", async () => {
    await writeFile(join(cloud.dir, "script-build"), "");
    await writeFile(join(cloud.dir, "calls"), "");
    await runJobs(cloud, job());
    const image = `${stack().imageRepository}:env-${environment}`;
    expect((await readFile(join(cloud.dir, "calls"), "utf8")).trim().split("\n").at(-1)).toBe(
      `push ${image}`,
    );
    const definition = await definitions().newest(`${stack().jobs.sandbox.definition}${environment}`);
    const [task] = definition?.ecsProperties?.taskProperties ?? [];
    expect(task?.containers?.map((container) => container.image)).toEqual([
      "worker:1",
      ...Array(9).fill(image),
    ]);
    // A second job finds the definition, and makes no other revision of it.
    await runJobs(cloud, { ...job(), attempt: 2 });
    expect((await definitions().newest(`${stack().jobs.sandbox.definition}${environment}`))?.revision).toBe(
      definition?.revision,
    );
  });
});

/** As the stage deploys it. */
function base(jobDefinitionName: string) {
  return {
    jobDefinitionName,
    type: "container" as const,
    platformCapabilities: ["FARGATE" as const],
    ecsProperties: {
      taskProperties: [
        {
          containers: [
            {
              name: "worker",
              image: "worker:1",
              essential: true,
              mountPoints: [{ sourceVolume: "box-0", containerPath: "/tracemill/boxes/0", readOnly: false }],
            },
            {
              name: "box-0",
              image: "worker:1",
              essential: false,
              dependsOn: [{ containerName: "worker", condition: "START" }],
              mountPoints: [{ sourceVolume: "box-0", containerPath: "/tracemill", readOnly: false }],
            },
          ],
          volumes: [{ name: "box-0" }],
        },
      ],
    },
  };
}
