import { jobExit } from "@tracemill/aws/pipeline/messages.ts";
import { boxes as boxesOfJobs } from "@tracemill/jobs/images/sandbox-definition.ts";
import { Match, type Template } from "aws-cdk-lib/assertions";
import { describe, expect, test } from "vitest";
import { boxes } from "./settings.ts";
import { everything, propertiesOf, stageOf, synthesized } from "./synthesized.ts";

const dev = synthesized(stageOf("dev"));
const prod = synthesized(stageOf("prod", everything));
const both = [dev, prod];

describe("network", () => {
  test("nothing is let in", () => {
    for (const template of both) {
      template.resourceCountIs("AWS::EC2::SecurityGroupIngress", 0);
      for (const group of propertiesOf(template, "AWS::EC2::SecurityGroup")) {
        expect(group.SecurityGroupIngress).toBeUndefined();
      }
    }
  });

  test("S3 and DynamoDB are reached without the internet; a gateway to it is paid for only where it is asked for", () => {
    for (const template of both) {
      expect(
        propertiesOf(template, "AWS::EC2::VPCEndpoint").map(({ VpcEndpointType }) => VpcEndpointType),
      ).toEqual(["Gateway", "Gateway"]);
    }
    dev.resourceCountIs("AWS::EC2::NatGateway", 0);
    prod.resourceCountIs("AWS::EC2::NatGateway", 1);
    prod.resourceCountIs("AWS::EC2::FlowLog", 1);
  });

  test("a task has a public address where it needs one, and nowhere else", () => {
    const addresses = (template: Template) =>
      propertiesOf(template, "AWS::Batch::JobDefinition").flatMap(
        ({ ContainerProperties, EcsProperties }) =>
          (ContainerProperties ?? EcsProperties.TaskProperties[0]).NetworkConfiguration?.AssignPublicIp ?? [],
      );
    expect(new Set(addresses(dev))).toEqual(new Set(["ENABLED"]));
    expect(new Set(addresses(prod))).toEqual(new Set(["DISABLED"]));
  });
});

describe("compute", () => {
  test("instances scale to zero, Spot first, and ask for tokens", () => {
    const environments = propertiesOf(prod, "AWS::Batch::ComputeEnvironment").map(
      ({ ComputeResources }) => ComputeResources,
    );
    const onEc2 = environments.filter(({ Type }) => ["EC2", "SPOT"].includes(Type));
    expect(onEc2).toHaveLength(4);
    for (const { MinvCpus, DesiredvCpus } of onEc2) expect([MinvCpus, DesiredvCpus]).toEqual([0, undefined]);
    prod.allResourcesProperties("AWS::EC2::LaunchTemplate", {
      LaunchTemplateData: { MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 } },
    });
    const orderOf = (id: string): string[] => {
      const found = Object.entries(prod.findResources("AWS::Batch::JobQueue")).find(([name]) => name === id);
      const order: { Order: number; ComputeEnvironment: { "Fn::GetAtt": [string] } }[] =
        found?.[1].Properties.ComputeEnvironmentOrder;
      return order
        .toSorted((a, b) => a.Order - b.Order)
        .map((each) => each.ComputeEnvironment["Fn::GetAtt"][0]);
    };
    expect(orderOf("ContainersQueue")).toEqual(["FargateSpot", "Fargate"]);
    expect(orderOf("HostsQueue")).toEqual(["HostsSpot", "Hosts"]);
    expect(orderOf("GpusQueue")).toEqual(["GpusSpot", "Gpus"]);
    expect(orderOf("HostsOnDemandQueue")).toEqual(["Hosts"]);
    expect(orderOf("StepsQueue")).toEqual(["Fargate"]);
  });

  test("without GPU capacity there is nothing for GPUs", () => {
    const text = JSON.stringify(dev.toJSON());
    expect(text).not.toContain("NVIDIA");
    expect(text).not.toContain("tracemill-dev-gpu");
    dev.resourceCountIs("AWS::Batch::ComputeEnvironment", 4);
    prod.resourceCountIs("AWS::Batch::ComputeEnvironment", 6);
  });

  test("runs share every queue, and a job that can never run is ended", () => {
    for (const template of both) {
      template.allResourcesProperties("AWS::Batch::JobQueue", {
        SchedulingPolicyArn: Match.anyValue(),
        JobStateTimeLimitActions: Match.arrayWith([
          {
            Action: "CANCEL",
            MaxTimeSeconds: 600,
            State: "RUNNABLE",
            Reason: "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
          },
        ]),
      });
    }
  });

  test("an interruption is tried again, any other end is the end", () => {
    for (const { RetryStrategy, PropagateTags, SchedulingPriority } of propertiesOf(
      prod,
      "AWS::Batch::JobDefinition",
    )) {
      expect(RetryStrategy).toEqual({
        Attempts: 10,
        EvaluateOnExit: [
          { Action: "RETRY", OnStatusReason: "Host EC2*" },
          { Action: "RETRY", OnStatusReason: "Your Spot Task was interrupted*" },
          { Action: "RETRY", OnExitCode: `${jobExit.interrupted}` },
          { Action: "EXIT", OnExitCode: "*" },
          { Action: "EXIT", OnReason: "*" },
        ],
      });
      expect([PropagateTags, SchedulingPriority]).toEqual([true, 1]);
    }
  });

  test("only sandboxes' hosts are privileged; roots on Fargate cannot be written", () => {
    const containers = propertiesOf(prod, "AWS::Batch::JobDefinition").flatMap(
      ({ JobDefinitionName, ContainerProperties }) =>
        ContainerProperties === undefined ? [] : [[JobDefinitionName, ContainerProperties]],
    );
    const named = Object.fromEntries(containers);
    const privileged = containers.filter(([, { Privileged }]) => Privileged === true).map(([name]) => name);
    expect(privileged.toSorted()).toEqual(["tracemill-prod-gpu", "tracemill-prod-host"]);
    for (const name of ["tracemill-prod-step", "tracemill-prod-container"]) {
      expect(named[name].ReadonlyRootFilesystem).toBe(true);
      expect(named[name].RuntimePlatform.CpuArchitecture).toBe("ARM64");
    }
  });

  test("a box of `sandbox: job` sees its own volume, may read that of all, and has no role's variables in the pattern", () => {
    const [pattern] = propertiesOf(dev, "AWS::Batch::JobDefinition").filter(
      ({ EcsProperties }) => EcsProperties,
    );
    expect(pattern.JobDefinitionName).toBe("tracemill-dev-sandbox-base");
    const [worker, box] = pattern.EcsProperties.TaskProperties[0].Containers;
    expect(box).toMatchObject({
      Name: "box-0",
      Essential: false,
      MountPoints: [
        { SourceVolume: "box-0", ContainerPath: "/tracemill" },
        { SourceVolume: "layers", ContainerPath: "/opt/tracemill", ReadOnly: true },
      ],
    });
    expect(box.Environment).toBeUndefined();
    // An init process of the container's own would show the credentials' path to everybody in it.
    expect(box.LinuxParameters).toBeUndefined();
    expect(box.User).toBe("0:0");
    expect([worker.DependsOn, box.DependsOn]).toEqual([
      [{ ContainerName: "box-0", Condition: "START" }],
      undefined,
    ]);
    expect(boxes).toBe(boxesOfJobs);
    const amount = (
      { ResourceRequirements }: { ResourceRequirements: { Type: string; Value: string }[] },
      type: string,
    ) => Number(ResourceRequirements.find(({ Type }) => Type === type)?.Value);
    // Fargate wants a size that it has for all ten together.
    expect(amount(worker, "VCPU") + 9 * amount(box, "VCPU")).toBe(8);
    expect(amount(worker, "MEMORY") + 9 * amount(box, "MEMORY")).toBe(32_768);
  });
});
