import { CfnComputeEnvironment, CfnSchedulingPolicy } from "aws-cdk-lib/aws-batch";
import { CfnLaunchTemplate } from "aws-cdk-lib/aws-ec2";
import { CfnInstanceProfile, ManagedPolicy, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { hostCpu } from "./images.ts";
import { type JobQueues, jobQueues } from "./job-queues.ts";
import type { Network } from "./network.ts";
import { nameOf, type Stage } from "./stage-file.ts";

/** Families with 4 GiB a vCPU and 2; several generations, so that Spot finds some of them. */
const hostTypes = {
  amd64: ["m7i", "m6i", "m7a", "m6a", "c7i", "c6i"],
  arm64: ["m8g", "m7g", "c8g", "c7g"],
};

/** What the environments are made with. */
interface Ground {
  scope: Construct;
  stage: Stage;
  network: Network;
}

/**
 * Batch: environments that scale from zero, each in a Spot and an on-demand form, and queues over them. Fargate and
 * EC2 cannot share a queue.
 */
export function compute(scope: Construct, stage: Stage, network: Network): JobQueues {
  const ground: Ground = { scope, stage, network };
  const instances = instanceProfile(scope);
  const policy = new CfnSchedulingPolicy(scope, "FairShare", {
    fairsharePolicy: {
      // Runs share a queue evenly; what a run used counts for an hour, so that a new one soon gets its part.
      shareDecaySeconds: 3_600,
      computeReservation: 0,
    },
  });
  const { gpu } = stage.settings.compute;
  const environments = {
    containers: pair((spot) => fargate(ground, spot)),
    hosts: pair((spot) => hosts(ground, instances, spot)),
    gpus: gpu.maxVcpus === 0 ? undefined : pair((spot) => gpus(ground, instances, spot)),
  };
  return jobQueues(scope, environments, policy);
}

export interface Pair {
  spot: CfnComputeEnvironment;
  onDemand: CfnComputeEnvironment;
}

function pair(make: (spot: boolean) => CfnComputeEnvironment): Pair {
  return { spot: make(true), onDemand: make(false) };
}

function placement({ network }: Ground) {
  return {
    subnets: network.subnets.map(({ subnetId }) => subnetId),
    securityGroupIds: [network.group.securityGroupId],
  };
}

function fargate(ground: Ground, spot: boolean): CfnComputeEnvironment {
  return new CfnComputeEnvironment(ground.scope, spot ? "FargateSpot" : "Fargate", {
    type: "MANAGED",
    state: "ENABLED",
    computeResources: {
      type: spot ? "FARGATE_SPOT" : "FARGATE",
      maxvCpus: ground.stage.settings.compute.container.maxVcpus,
      ...placement(ground),
    },
  });
}

interface Ec2 {
  id: string;
  spot: boolean;
  types: readonly string[];
  maxVcpus: number;
  imageType: string;
  diskGiB: number;
}

function hosts(ground: Ground, profile: CfnInstanceProfile, spot: boolean): CfnComputeEnvironment {
  const { maxVcpus, instanceTypes, diskGiB } = ground.stage.settings.compute.host;
  const types = instanceTypes ?? hostTypes[hostCpu(ground.stage)];
  const id = spot ? "HostsSpot" : "Hosts";
  return ec2(ground, profile, { id, spot, types, maxVcpus, imageType: "ECS_AL2023", diskGiB });
}

function gpus(ground: Ground, profile: CfnInstanceProfile, spot: boolean): CfnComputeEnvironment {
  const { maxVcpus, instanceTypes, diskGiB } = ground.stage.settings.compute.gpu;
  const id = spot ? "GpusSpot" : "Gpus";
  const imageType = "ECS_AL2023_NVIDIA";
  return ec2(ground, profile, { id, spot, types: instanceTypes, maxVcpus, imageType, diskGiB });
}

function ec2(ground: Ground, profile: CfnInstanceProfile, env: Ec2): CfnComputeEnvironment {
  const { scope, stage } = ground;
  const template = launchTemplate(scope, stage, env);
  return new CfnComputeEnvironment(scope, env.id, {
    type: "MANAGED",
    state: "ENABLED",
    // New settings replace instances once their jobs have ended, and the environment stays.
    replaceComputeEnvironment: false,
    updatePolicy: { terminateJobsOnUpdate: false, jobExecutionTimeoutMinutes: 360 },
    computeResources: {
      type: env.spot ? "SPOT" : "EC2",
      allocationStrategy: env.spot ? "SPOT_PRICE_CAPACITY_OPTIMIZED" : "BEST_FIT_PROGRESSIVE",
      minvCpus: 0,
      maxvCpus: env.maxVcpus,
      instanceTypes: [...env.types],
      instanceRole: profile.attrArn,
      ec2Configuration: [{ imageType: env.imageType }],
      launchTemplate: { launchTemplateId: template.ref, version: template.attrLatestVersionNumber },
      updateToLatestImageVersion: true,
      tags: { Name: nameOf(stage, env.id.toLowerCase()), app: "tracemill", stage: stage.name },
      ...placement(ground),
    },
  });
}

function launchTemplate(scope: Construct, stage: Stage, { id, diskGiB }: Ec2): CfnLaunchTemplate {
  return new CfnLaunchTemplate(scope, `${id}Template`, {
    launchTemplateData: {
      // Tokens only, and none that a container behind a bridge could fetch.
      metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
      blockDeviceMappings: [
        {
          deviceName: "/dev/xvda",
          ebs: { volumeSize: diskGiB, volumeType: "gp3", encrypted: true, deleteOnTermination: true },
        },
      ],
      tagSpecifications: [
        {
          resourceType: "volume",
          tags: [
            { key: "app", value: "tracemill" },
            { key: "stage", value: stage.name },
          ],
        },
      ],
    },
  });
}

/** What the ECS agent of an instance may do: AWS's own policy for it, which it keeps up to date. */
function instanceProfile(scope: Construct): CfnInstanceProfile {
  const role = new Role(scope, "InstanceRole", {
    assumedBy: new ServicePrincipal("ec2.amazonaws.com"),
    description: "The ECS agent of Tracemill's instances",
    managedPolicies: [
      ManagedPolicy.fromAwsManagedPolicyName("service-role/AmazonEC2ContainerServiceforEC2Role"),
    ],
  });
  return new CfnInstanceProfile(scope, "InstanceProfile", { roles: [role.roleName] });
}
