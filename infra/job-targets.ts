import type { StackInfo } from "@tracemill/aws/stack.ts";
import type { CfnJobQueue } from "aws-cdk-lib/aws-batch";
import { imageSize } from "./job-definitions.ts";
import type { JobQueues } from "./job-queues.ts";
import { nameOf, type Stage } from "./stage-file.ts";

/** Where jobs go, as `StackInfo` tells it. */
export function jobTargets(
  stage: Stage,
  queues: JobQueues,
): Pick<StackInfo, "jobs" | "onDemandQueues" | "sizes"> {
  const { compute } = stage.settings;
  const target = (queue: CfnJobQueue, kind: string) => ({
    queue: queue.attrJobQueueArn,
    definition: nameOf(stage, kind),
  });
  const { containers, hosts, gpus, onDemand } = queues;
  return {
    jobs: {
      step: target(queues.steps, "step"),
      container: target(containers, "container"),
      host: target(hosts, "host"),
      ...(gpus === undefined ? {} : { gpu: target(gpus, "gpu") }),
      sandbox: target(containers, "sandbox-"),
      image: target(queues.images, "image"),
    },
    onDemandQueues: {
      container: onDemand.containers.attrJobQueueArn,
      host: onDemand.hosts.attrJobQueueArn,
      sandbox: onDemand.containers.attrJobQueueArn,
      ...(onDemand.gpus === undefined ? {} : { gpu: onDemand.gpus.attrJobQueueArn }),
    },
    sizes: {
      step: sizeOf(compute.step),
      container: sizeOf(compute.container),
      host: sizeOf(compute.host),
      gpu: sizeOf(compute.gpu),
      sandbox: sizeOf({ vcpus: compute.sandbox.boxVcpus, memoryMiB: compute.sandbox.boxMemoryMiB }),
      image: imageSize,
    },
  };
}

function sizeOf({ vcpus, memoryMiB, gpus = 0 }: { vcpus: number; memoryMiB: number; gpus?: number }) {
  return { vcpus, memoryMiB, gpus };
}
