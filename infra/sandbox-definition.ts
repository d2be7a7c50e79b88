import { boxCommand } from "@tracemill/agents/sandbox/job/box-command.ts";
import { layersAt } from "@tracemill/agents/sandbox/job/layers.ts";
import type { CfnJobDefinition } from "aws-cdk-lib/aws-batch";
import {
  command,
  environmentOf,
  fargateTask,
  type Ground,
  logConfigurationOf,
  resources,
  scratchEnvironment,
} from "./container-parts.ts";
import { containerCpu } from "./images.ts";
import { boxes } from "./settings.ts";

/**
 * The pattern for `sandbox: job`: the worker, and one box. The job that builds a task's image registers a definition
 * of its own from it, with the task's image in nine boxes, each with a volume that it shares with the worker alone. One
 * volume, for the programs of agents, is the worker's to write and every box's to read.
 */
export function sandboxBase(ground: Ground): CfnJobDefinition.EcsTaskPropertiesProperty {
  const { images, roles } = ground.parts;
  const { sandbox } = ground.stage.settings.compute;
  const image = images.worker(containerCpu(ground.stage)).uri;
  const worker = {
    name: "worker",
    essential: true,
    image,
    command,
    environment: [...environmentOf(ground), ...scratchEnvironment],
    // Containers stop in the reverse order: told to stop, the worker gives its trials back while the boxes still live.
    dependsOn: [{ containerName: "box-0", condition: "START" }],
    resourceRequirements: resources({
      vcpus: sandbox.vcpus - boxes * sandbox.boxVcpus,
      memoryMiB: sandbox.memoryMiB - boxes * sandbox.boxMemoryMiB,
    }),
    readonlyRootFilesystem: true,
    mountPoints: [
      { sourceVolume: "tmp", containerPath: "/tmp", readOnly: false },
      { sourceVolume: "box-0", containerPath: "/tracemill/boxes/0", readOnly: false },
      { sourceVolume: "layers", containerPath: "/tracemill/layers", readOnly: false },
    ],
    logConfiguration: logConfigurationOf(ground, "job"),
  };
  const box = {
    name: "box-0",
    // Ends with its trial; the task ends with the worker.
    essential: false,
    image,
    command: [...boxCommand],
    // Whatever the image's USER is: everything in a sandbox runs as its root.
    user: "0:0",
    resourceRequirements: resources({ vcpus: sandbox.boxVcpus, memoryMiB: sandbox.boxMemoryMiB }),
    // A task writes where it likes, in its own box.
    readonlyRootFilesystem: false,
    mountPoints: [
      { sourceVolume: "box-0", containerPath: "/tracemill", readOnly: false },
      { sourceVolume: "layers", containerPath: layersAt, readOnly: true },
    ],
    logConfiguration: logConfigurationOf(ground, "box"),
  };
  return {
    ...fargateTask(ground),
    platformVersion: "LATEST",
    taskRoleArn: roles.worker.roleArn,
    containers: [worker, box],
    ephemeralStorage: { sizeInGiB: sandbox.diskGiB },
    volumes: [{ name: "tmp" }, { name: "box-0" }, { name: "layers" }],
  };
}
