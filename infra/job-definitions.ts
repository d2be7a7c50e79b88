import { jobExit } from "@tracemill/aws/pipeline/messages.ts";
import { CfnJobDefinition } from "aws-cdk-lib/aws-batch";
import type { Construct } from "constructs";
import {
  command,
  environmentOf,
  fargateTask,
  type Ground,
  type JobParts,
  logConfigurationOf,
  resources,
  scratchEnvironment,
} from "./container-parts.ts";
import { containerCpu, hostCpu } from "./images.ts";
import { sandboxBase } from "./sandbox-definition.ts";
import { nameOf, type Stage } from "./stage-file.ts";

/** Ten attempts, Batch's most: an interruption is nobody's fault. Everything else ends the job at once. */
export const retryStrategy = {
  attempts: 10,
  evaluateOnExit: [
    { action: "RETRY", onStatusReason: "Host EC2*" },
    { action: "RETRY", onStatusReason: "Your Spot Task was interrupted*" },
    { action: "RETRY", onExitCode: String(jobExit.interrupted) },
    // Two ends of all the rest: with an exit code, and without one. What matches nothing would be tried again.
    { action: "EXIT", onExitCode: "*" },
    { action: "EXIT", onReason: "*" },
  ],
} satisfies CfnJobDefinition.RetryStrategyProperty;

/** Registers the definitions of the jobs that a stage has. They are known by name: the newest revision counts. */
export function jobDefinitions(scope: Construct, stage: Stage, parts: JobParts): void {
  const { step, container, host, gpu } = stage.settings.compute;
  const define = (
    kind: string,
    properties: object,
    platform: "FARGATE" | "EC2",
    timeoutHours?: number,
  ): void => {
    new CfnJobDefinition(scope, `Job-${kind}`, {
      ...commonOf(stage, kind, platform),
      containerProperties: properties as CfnJobDefinition.ContainerPropertiesProperty,
      ...(timeoutHours === undefined ? {} : { timeout: { attemptDurationSeconds: timeoutHours * 3_600 } }),
    });
  };
  const { worker, step: stepRole, image } = parts.roles;
  const hostImage = parts.images.worker(hostCpu(stage)).uri;
  const ground: Ground = { scope, stage, parts };
  define(
    "step",
    { ...onFargate(ground, step, stepRole.roleArn), ephemeralStorage: { sizeInGiB: step.diskGiB } },
    "FARGATE",
    step.timeoutHours,
  );
  define("container", onFargate(ground, container, worker.roleArn), "FARGATE");
  define("host", onHost(ground, { ...host, image: hostImage, role: worker.roleArn }), "EC2");
  if (gpu.maxVcpus > 0) {
    const gpuImage = parts.images.gpuWorker().uri;
    const properties = onHost(ground, { ...gpu, image: gpuImage, role: worker.roleArn });
    define("gpu", { ...properties, linuxParameters: { sharedMemorySize: gpu.sharedMemoryMiB } }, "EC2");
  }
  define("image", withDocker(onHost(ground, { ...imageSize, image: hostImage, role: image.roleArn })), "EC2");
  new CfnJobDefinition(scope, "Job-sandbox", {
    ...commonOf(stage, "sandbox-base", "FARGATE"),
    ecsProperties: { taskProperties: [sandboxBase(ground)] },
  });
}

/** Docker does the work; the job starts it and reads its output. */
export const imageSize = { vcpus: 2, memoryMiB: 3_500, gpus: 0 };

function commonOf(stage: Stage, kind: string, platform: "FARGATE" | "EC2") {
  return {
    type: "container",
    jobDefinitionName: nameOf(stage, kind),
    platformCapabilities: [platform],
    retryStrategy,
    propagateTags: true,
    // Queues that share refuses jobs without one.
    schedulingPriority: 1,
    // An execution that is at work may name the revision before.
    resourceRetentionPolicy: { skipDeregisterOnUpdate: true },
  };
}

/** The root cannot be written; scratch files go to a volume of the task's own. */
function onFargate(ground: Ground, size: { vcpus: number; memoryMiB: number }, roleArn: string) {
  const { images } = ground.parts;
  return {
    ...fargateTask(ground),
    fargatePlatformConfiguration: { platformVersion: "LATEST" },
    image: images.worker(containerCpu(ground.stage)).uri,
    command,
    jobRoleArn: roleArn,
    environment: [...environmentOf(ground), ...scratchEnvironment],
    resourceRequirements: resources(size),
    readonlyRootFilesystem: true,
    volumes: [{ name: "tmp" }],
    mountPoints: [{ sourceVolume: "tmp", containerPath: "/tmp", readOnly: false }],
    logConfiguration: logConfigurationOf(ground, "job"),
  };
}

interface OnHost {
  vcpus: number;
  memoryMiB: number;
  gpus?: number;
  image: string;
  role: string;
}

/**
 * On an instance, privileged: namespaces, their mounts and cgroups are made by root of the instance. What runs
 * inside of them is not.
 */
function onHost(ground: Ground, { image, role, ...size }: OnHost) {
  return {
    image,
    command,
    jobRoleArn: role,
    environment: environmentOf(ground),
    resourceRequirements: resources(size),
    privileged: true,
    readonlyRootFilesystem: false,
    // A volume of Docker's: workspaces are overlays, whose upper folder cannot be on the container's own overlay.
    volumes: [{ name: "tmp" }],
    mountPoints: [{ sourceVolume: "tmp", containerPath: "/tmp", readOnly: false }],
    logConfiguration: logConfigurationOf(ground, "job"),
  };
}

const socket = "/var/run/docker.sock";

/** The instance's own Docker, by its socket; its layers stay there for the next build. */
function withDocker(properties: ReturnType<typeof onHost>) {
  return {
    ...properties,
    privileged: false,
    volumes: [...properties.volumes, { name: "docker", host: { sourcePath: socket } }],
    mountPoints: [
      ...properties.mountPoints,
      { sourceVolume: "docker", containerPath: socket, readOnly: false },
    ],
  };
}
