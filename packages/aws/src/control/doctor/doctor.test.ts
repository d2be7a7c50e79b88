import { expect, test } from "vitest";
import { stackInfo } from "../../../../../test/emulators/stack-info.ts";
import { answering, awsFault } from "../../../../../test/fakes/answering-client.ts";
import { batchClient } from "../../clients/batch.ts";
import { ecrClient } from "../../clients/ecr.ts";
import { iamClient } from "../../clients/iam.ts";
import { serviceQuotasClient } from "../../clients/service-quotas.ts";
import { ecrImages } from "../images.ts";
import { imageChecks } from "./image-checks.ts";
import { neededActions, permissionChecks } from "./permissions.ts";
import { type Capacity, capacities, queueChecks } from "./queues.ts";
import { quotaChecks } from "./quotas.ts";

const options = { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };
const host = { queue: "arn:q", definition: "arn:aws:batch:us-east-1:123456789012:job-definition/host:3" };
const stack = stackInfo({
  jobs: { step: host, container: host, host, sandbox: { queue: "arn:q", definition: "x-" }, image: host },
});

test("quotas are held against what the stage may use; 0 is missing, too little a warning, with the command that asks", async () => {
  const values: Record<string, number> = { "L-DB2E81BA": 0, "L-36FBB829": 16, "L-B99A9384": 1_000 };
  const { client } = answering(serviceQuotasClient(options), {
    GetServiceQuota: ({ QuotaCode }: { QuotaCode: string }) => {
      if (QuotaCode === "L-1216C47A") throw awsFault("NoSuchResourceException", "never changed");
      return { Quota: { Value: values[QuotaCode] } };
    },
    GetAWSDefaultServiceQuota: () => ({ Quota: { Value: 512 } }),
  });
  const capacity = (type: Capacity["type"], maxVcpus: number, ...instanceTypes: string[]): Capacity => ({
    name: "n",
    type,
    maxVcpus,
    instanceTypes,
  });
  const checks = await quotaChecks(client, [
    capacity("EC2", 64, "g6", "g5"),
    capacity("FARGATE_SPOT", 256),
    capacity("EC2", 256, "m7g.2xlarge"),
  ]);
  expect(checks).toEqual([
    expect.objectContaining({
      name: "quota: Fargate Spot vCPUs",
      status: "warning",
      detail: "16; the stage may use 256",
      remedy: expect.stringContaining("--service-code fargate --quota-code L-36FBB829 --desired-value 256"),
    }),
    expect.objectContaining({ name: "quota: on-demand vCPUs of standard instances", status: "ok" }),
    expect.objectContaining({ name: "quota: on-demand vCPUs of G and VT instances", status: "missing" }),
    expect.objectContaining({ name: "quota: Lambda invocations at once", status: "ok" }),
  ]);
});

test("a quota that may not be looked at is a warning that names the action", async () => {
  const { client } = answering(serviceQuotasClient(options), {});
  const [check] = await quotaChecks(client, []);
  expect(check).toMatchObject({
    status: "warning",
    remedy: expect.stringContaining("servicequotas:GetServiceQuota"),
  });
});

function batchWith(environment: object, queue: object = {}) {
  return answering(batchClient(options), {
    DescribeJobQueues: () => ({
      jobQueues: [
        {
          jobQueueArn: "arn:q",
          jobQueueName: "q",
          state: "ENABLED",
          status: "VALID",
          computeEnvironmentOrder: [{ order: 1, computeEnvironment: "arn:ce" }],
          ...queue,
        },
      ],
    }),
    DescribeComputeEnvironments: () => ({
      computeEnvironments: [
        {
          computeEnvironmentArn: "arn:ce",
          computeEnvironmentName: "ce",
          state: "ENABLED",
          status: "VALID",
          computeResources: { type: "SPOT", maxvCpus: 64, instanceTypes: ["m7g"] },
          ...environment,
        },
      ],
    }),
  }).client;
}

test("a queue with room for its jobs is fine, and tells its capacity", async () => {
  const batch = batchWith({});
  expect(await queueChecks(batch, stack, ["host"])).toEqual([
    { name: "queue of host", status: "ok", detail: "up to 64 vCPUs, 4 a job" },
  ]);
  expect(await capacities(batch, stack)).toEqual([
    { name: "ce", type: "SPOT", maxVcpus: 64, instanceTypes: ["m7g"] },
  ]);
});

test.each([
  [
    "a broken compute environment",
    { status: "INVALID", statusReason: "no such role" },
    {},
    /INVALID: no such role/,
  ],
  ["a disabled queue", {}, { state: "DISABLED" }, /q is DISABLED/],
  ["no room for one job", { computeResources: { type: "SPOT", maxvCpus: 2 } }, {}, /wait for good/],
  ["a queue that is gone", {}, { jobQueueArn: "arn:other", jobQueueName: "other" }, /arn:q is not there/],
])("%s is missing, with what to do", async (_, environment, queue, detail) => {
  const [check] = await queueChecks(batchWith(environment, queue), stack, ["host"]);
  expect(check).toMatchObject({ status: "missing", detail: expect.stringMatching(detail) });
  expect(check?.remedy).toContain("npx sst deploy --stage ci");
});

test("images that job definitions name are looked up in ECR; others are not", async () => {
  const registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
  const definitions: Record<string, string> = {
    there: `${registry}/worker:1`,
    gone: `${registry}/worker:2`,
    public: "public.ecr.aws/docker/library/node:24",
  };
  const batch = answering(batchClient(options), {
    DescribeJobDefinitions: ({ jobDefinitionName = "" }: { jobDefinitionName?: string }) => ({
      jobDefinitions:
        definitions[jobDefinitionName] === undefined
          ? []
          : [{ status: "ACTIVE", containerProperties: { image: definitions[jobDefinitionName] } }],
    }),
  }).client;
  const ecr = answering(ecrClient(options), {
    BatchGetImage: () => ({ images: [{ imageId: { imageTag: "1" } }] }),
  }).client;
  const target = (definition: string) => ({ queue: "q", definition });
  const jobs = {
    step: target("there"),
    container: target("gone"),
    host: target("public"),
    image: target("absent"),
    sandbox: target("x-"),
  };
  const checks = await imageChecks(batch, ecrImages(ecr), { ...stack, jobs });
  expect(checks.map(({ name, status, detail }) => [name, status, detail])).toEqual([
    ["jobs of step", "ok", "there, its image is there"],
    ["jobs of container", "missing", `no image ${registry}/worker:2`],
    ["jobs of host", "ok", "public, its image is there"],
    ["jobs of image", "missing", "no job definition absent"],
  ]);
});

const session = "arn:aws:sts::123456789012:assumed-role/Analyst/me";

test("what IAM would refuse is named, with the role that wants the policy", async () => {
  const { client, asked } = answering(iamClient(options), {
    GetRole: () => ({ Role: { Arn: "arn:aws:iam::123456789012:role/team/Analyst" } }),
    SimulatePrincipalPolicy: ({ ActionNames }: { ActionNames: string[] }) => ({
      EvaluationResults: ActionNames.map((EvalActionName) => ({
        EvalActionName,
        EvalDecision: EvalActionName === "states:StopExecution" ? "implicitDeny" : "allowed",
      })),
    }),
  });
  const [check] = await permissionChecks(client, stack, { account: "123456789012", arn: session });
  expect(check).toMatchObject({
    status: "missing",
    detail: expect.stringMatching(
      /^refused: states:StopExecution on arn:aws:states:us-east-1:123456789012:execution:/,
    ),
    remedy: expect.stringContaining("role/team/Analyst"),
  });
  expect(asked.at(-1)?.input.PolicySourceArn).toBe("arn:aws:iam::123456789012:role/team/Analyst");
});

test("without the right to ask IAM there is a word about it, and no failure", async () => {
  const { client } = answering(iamClient(options), {});
  const [check] = await permissionChecks(client, stack, { account: "123456789012", arn: session });
  expect(check).toMatchObject({
    status: "warning",
    detail: expect.stringContaining("SimulatePrincipalPolicy"),
  });
});

test("data is asked about by its own ARN, never by a wildcard", () => {
  const needs = neededActions(stack, { account: "123456789012" });
  const wide = needs.filter(({ resource }) => resource === "*").flatMap(({ actions }) => actions);
  expect(wide).toEqual(["batch:ListJobs", "batch:DescribeJobs"]);
});
