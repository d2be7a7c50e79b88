import { boxCommand } from "@tracemill/agents/sandbox/job/box-command.ts";
import type { JobDefinition } from "@tracemill/aws/control/job-definitions.ts";
import { describe, expect, test } from "vitest";
import { platformOf, sandboxDefinition, workerImage } from "./sandbox-definition.ts";

/** What the stage deploys: a worker and one box. */
function baseDefinition(): JobDefinition {
  return {
    jobDefinitionName: "tracemill-test-sandbox-base",
    jobDefinitionArn: "arn:aws:batch:us-east-1:123456789012:job-definition/tracemill-test-sandbox-base:3",
    revision: 3,
    status: "ACTIVE",
    type: "container",
    containerOrchestrationType: "ECS",
    platformCapabilities: ["FARGATE"],
    propagateTags: true,
    schedulingPriority: 1,
    tags: { app: "tracemill", "aws:cloudformation:stack-name": "tracemill-test" },
    retryStrategy: { attempts: 10, evaluateOnExit: [{ action: "RETRY", onExitCode: "75" }] },
    ecsProperties: {
      taskProperties: [
        {
          executionRoleArn: "arn:aws:iam::123456789012:role/execution",
          taskRoleArn: "arn:aws:iam::123456789012:role/worker",
          runtimePlatform: { cpuArchitecture: "ARM64", operatingSystemFamily: "LINUX" },
          ephemeralStorage: { sizeInGiB: 50 },
          volumes: [{ name: "tmp" }, { name: "box-0" }, { name: "layers" }],
          containers: [
            {
              name: "worker",
              image: "worker:1",
              essential: true,
              command: ["Ref::stage"],
              environment: [{ name: "TRACEMILL_STAGE", value: "test" }],
              mountPoints: [
                { sourceVolume: "tmp", containerPath: "/tmp", readOnly: false },
                { sourceVolume: "box-0", containerPath: "/tracemill/boxes/0", readOnly: false },
                { sourceVolume: "layers", containerPath: "/tracemill/layers", readOnly: false },
              ],
            },
            {
              name: "box-0",
              image: "worker:1",
              essential: false,
              command: ["/bin/sh", "/tracemill/box.sh", "0"],
              dependsOn: [{ containerName: "worker", condition: "START" }],
              resourceRequirements: [{ type: "MEMORY", value: "2048" }],
              mountPoints: [
                { sourceVolume: "box-0", containerPath: "/tracemill", readOnly: false },
                { sourceVolume: "layers", containerPath: "/opt/tracemill", readOnly: true },
              ],
            },
          ],
        },
      ],
    },
  };
}

const made = () =>
  sandboxDefinition(baseDefinition(), { name: "tracemill-test-sandbox-env_1", image: "task:env_1" });

const taskOf = (definition: ReturnType<typeof made>) => {
  const [task] = definition.ecsProperties?.taskProperties ?? [];
  if (task?.containers === undefined) throw new Error("no task");
  return { ...task, containers: task.containers };
};

describe("the job definition of an environment", () => {
  test("is the stage's own with another name", () => {
    const definition = made();
    expect(definition).toMatchObject({
      jobDefinitionName: "tracemill-test-sandbox-env_1",
      type: "container",
      platformCapabilities: ["FARGATE"],
      propagateTags: true,
      schedulingPriority: 1,
      retryStrategy: { attempts: 10 },
    });
    // Tags that begin with `aws:` are AWS's own: RegisterJobDefinition refuses them.
    expect(definition.tags).toEqual({ app: "tracemill", "tracemill:base-revision": "3" });
    // RegisterJobDefinition takes nothing that DescribeJobDefinitions adds.
    for (const key of ["revision", "status", "jobDefinitionArn", "containerOrchestrationType"])
      expect(definition).not.toHaveProperty(key);
  });

  test("has ten containers: the worker, and nine boxes of the task's image", () => {
    const { containers } = taskOf(made());
    expect(containers.map(({ name, image }) => [name, image])).toEqual([
      ["worker", "worker:1"],
      ...Array.from({ length: 9 }, (_, index) => [`box-${index}`, "task:env_1"]),
    ]);
    expect(containers.every(({ name, essential }) => essential === (name === "worker"))).toBe(true);
  });

  test("gives each box a volume that it shares with the worker alone, and one of all that it may read", () => {
    const { containers, volumes } = taskOf(made());
    const boxNames = Array.from({ length: 9 }, (_, index) => `box-${index}`);
    expect(volumes?.map(({ name }) => name)).toEqual(["tmp", ...boxNames, "layers"]);
    const [worker, ...boxes] = containers;
    expect(worker?.mountPoints?.map((mount) => [mount.sourceVolume, mount.containerPath])).toEqual([
      ["tmp", "/tmp"],
      ...boxNames.map((name, index) => [name, `/tracemill/boxes/${index}`]),
      ["layers", "/tracemill/layers"],
    ]);
    expect(boxes.map(({ mountPoints }) => mountPoints)).toEqual(
      boxNames.map((sourceVolume) => [
        { sourceVolume, containerPath: "/tracemill", readOnly: false },
        { sourceVolume: "layers", containerPath: "/opt/tracemill", readOnly: true },
      ]),
    );
  });

  test("hands no box anything of ours, and lets it wait for work", () => {
    const boxes = taskOf(made()).containers.filter(({ name }) => name !== "worker");
    for (const { command, environment } of boxes) {
      expect(environment).toBeUndefined();
      expect(command).toEqual(boxCommand);
    }
  });

  test("is made of a base that the stage deployed, and no other", () => {
    const without = { ...baseDefinition(), ecsProperties: { taskProperties: [{ containers: [] }] } };
    expect(() => sandboxDefinition(without, { name: "n", image: "i" })).toThrow(
      /lacks a container `box-0`; deploy/,
    );
    expect(() =>
      sandboxDefinition({ ...without, ecsProperties: undefined }, { name: "n", image: "i" }),
    ).toThrow("one task");
    expect(() => workerImage(without)).toThrow("`worker`");
  });
});

test("images are built for the platform of the job", () => {
  expect(platformOf(baseDefinition())).toBe("linux/arm64");
  expect(platformOf({ ...baseDefinition(), ecsProperties: { taskProperties: [{ containers: [] }] } })).toBe(
    "linux/amd64",
  );
  expect(workerImage(baseDefinition())).toBe("worker:1");
});
