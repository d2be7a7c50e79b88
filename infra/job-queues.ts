import { type CfnComputeEnvironment, CfnJobQueue, type CfnSchedulingPolicy } from "aws-cdk-lib/aws-batch";
import type { Construct } from "constructs";
import type { Pair } from "./compute.ts";

export interface JobQueues {
  /** Spot first, on demand when Spot has nothing. */
  containers: CfnJobQueue;
  hosts: CfnJobQueue;
  gpus: CfnJobQueue | undefined;
  onDemand: { containers: CfnJobQueue; hosts: CfnJobQueue; gpus: CfnJobQueue | undefined };
  /** Ahead of the shards on the same machines, so that no run waits behind another one's shards to be planned. */
  steps: CfnJobQueue;
  images: CfnJobQueue;
}

/** Shards; and what the shards of a run wait for. A higher number goes first. */
const priority = { shards: 1, ahead: 10 };

/**
 * Jobs that can never run are ended after ten minutes, Batch's shortest, so that their shard fails with the reason.
 * Those that wait for capacity go on waiting.
 */
const hopeless = [
  "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
  "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
];

interface Environments {
  containers: Pair;
  hosts: Pair;
  gpus: Pair | undefined;
}

export function jobQueues(
  scope: Construct,
  { containers, hosts, gpus }: Environments,
  policy: CfnSchedulingPolicy,
): JobQueues {
  const queue = (id: string, order: readonly CfnComputeEnvironment[], level = priority.shards): CfnJobQueue =>
    new CfnJobQueue(scope, id, {
      priority: level,
      state: "ENABLED",
      schedulingPolicyArn: policy.attrArn,
      computeEnvironmentOrder: order.map((environment, index) => ({
        order: index + 1,
        computeEnvironment: environment.attrComputeEnvironmentArn,
      })),
      jobStateTimeLimitActions: hopeless.map((reason) => ({
        state: "RUNNABLE",
        reason,
        maxTimeSeconds: 600,
        action: "CANCEL",
      })),
    });
  const spotFirst = ({ spot, onDemand }: Pair) => [spot, onDemand];
  return {
    containers: queue("ContainersQueue", spotFirst(containers)),
    hosts: queue("HostsQueue", spotFirst(hosts)),
    gpus: gpus && queue("GpusQueue", spotFirst(gpus)),
    onDemand: {
      containers: queue("ContainersOnDemandQueue", [containers.onDemand]),
      hosts: queue("HostsOnDemandQueue", [hosts.onDemand]),
      gpus: gpus && queue("GpusOnDemandQueue", [gpus.onDemand]),
    },
    // A step is one job, and half of it done again costs more than Spot saves.
    steps: queue("StepsQueue", [containers.onDemand], priority.ahead),
    images: queue("ImagesQueue", [hosts.onDemand], priority.ahead),
  };
}
