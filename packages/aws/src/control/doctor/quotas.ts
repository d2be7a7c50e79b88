import {
  GetAWSDefaultServiceQuotaCommand,
  GetServiceQuotaCommand,
  type ServiceQuotasClient,
} from "@aws-sdk/client-service-quotas";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import { isAwsError } from "../../errors.ts";
import { callService } from "../service-call.ts";
import { checked } from "./check.ts";
import type { Capacity } from "./queues.ts";

/** A quota of an account and region that bounds how much runs at once. Codes: the Service Quotas console. */
interface Quota {
  service: "ec2" | "fargate" | "lambda";
  code: string;
  title: string;
  /** Which compute environments it bounds. */
  bounds(capacity: Capacity): boolean;
}

const isGpu = (family: RegExp) => (capacity: Capacity) =>
  capacity.instanceTypes.some((type) => family.test(type));
const graphics = isGpu(/^(g|vt)\d/);
const pod = isGpu(/^p\d/);

const quotas: readonly Quota[] = [
  {
    service: "fargate",
    code: "L-3032A538",
    title: "Fargate on-demand vCPUs",
    bounds: ({ type }) => type === "FARGATE",
  },
  {
    service: "fargate",
    code: "L-36FBB829",
    title: "Fargate Spot vCPUs",
    bounds: ({ type }) => type === "FARGATE_SPOT",
  },
  {
    service: "ec2",
    code: "L-1216C47A",
    title: "on-demand vCPUs of standard instances",
    bounds: (each) => each.type === "EC2" && !graphics(each) && !pod(each),
  },
  {
    service: "ec2",
    code: "L-34B43A08",
    title: "Spot vCPUs of standard instances",
    bounds: (each) => each.type === "SPOT" && !graphics(each) && !pod(each),
  },
  {
    service: "ec2",
    code: "L-DB2E81BA",
    title: "on-demand vCPUs of G and VT instances",
    bounds: (each) => each.type === "EC2" && graphics(each),
  },
  {
    service: "ec2",
    code: "L-3819A6DF",
    title: "Spot vCPUs of G and VT instances",
    bounds: (each) => each.type === "SPOT" && graphics(each),
  },
  {
    service: "ec2",
    code: "L-417A185B",
    title: "on-demand vCPUs of P instances",
    bounds: (each) => each.type === "EC2" && pod(each),
  },
  {
    service: "ec2",
    code: "L-7212CCBC",
    title: "Spot vCPUs of P instances",
    bounds: (each) => each.type === "SPOT" && pod(each),
  },
];

/** Invocations of Lambda at once: AWS gives 1,000 by default and new accounts as little as 10. */
const lambdaConcurrency = {
  service: "lambda",
  code: "L-B99A9384",
  title: "Lambda invocations at once",
} as const;

/** `progress`, `ingest` and the steps of some runs, with room for what else the account does. */
const wantedInvocations = 50;

/**
 * Holds the account's quotas against what the stage's compute environments may grow to. Below it jobs wait, which is a
 * warning; a quota of 0 means that they would wait for good.
 * @param capacities of the stage, as `capacities` finds them.
 */
export async function quotaChecks(
  client: ServiceQuotasClient,
  capacities: readonly Capacity[],
): Promise<DoctorCheck[]> {
  const bounded = quotas.flatMap((quota) => {
    const wanted = capacities.filter(quota.bounds).reduce((sum, { maxVcpus }) => sum + maxVcpus, 0);
    return wanted === 0 ? [] : [{ quota, wanted }];
  });
  const asked = [...bounded, { quota: lambdaConcurrency, wanted: wantedInvocations }];
  const checks = await Promise.all(
    asked.map(({ quota, wanted }) => {
      const name = `quota: ${quota.title}`;
      const look = async () => judge(name, quota, wanted, await quotaValue(client, quota));
      // A quota that nobody tells us stops no run.
      return checked(name, look, "warning");
    }),
  );
  return checks.flat();
}

function judge(
  name: string,
  { service, code }: Pick<Quota, "service" | "code">,
  wanted: number,
  value: number | undefined,
): DoctorCheck {
  if (value === undefined) {
    return { name, status: "warning", detail: `this region does not tell its value (${service} ${code})` };
  }
  const detail = `${value}; the stage may use ${wanted}`;
  if (value >= wanted) return { name, status: "ok", detail };
  const remedy = `ask for more: aws service-quotas request-service-quota-increase --service-code ${service} --quota-code ${code} --desired-value ${wanted}`;
  return { name, status: value === 0 ? "missing" : "warning", detail, remedy };
}

/** What the account has; where nobody ever changed it, AWS's default. */
async function quotaValue(
  client: ServiceQuotasClient,
  { service, code }: Pick<Quota, "service" | "code">,
): Promise<number | undefined> {
  const input = { ServiceCode: service, QuotaCode: code };
  const absent = "NoSuchResourceException";
  const call = (action: string) => ({ doing: `quota ${code}`, action, expects: [absent] });
  try {
    const answer = await callService(call("servicequotas:GetServiceQuota"), () =>
      client.send(new GetServiceQuotaCommand(input)),
    );
    return answer.Quota?.Value;
  } catch (error) {
    if (!isAwsError(error, absent)) throw error;
  }
  try {
    const answer = await callService(call("servicequotas:GetAWSDefaultServiceQuota"), () =>
      client.send(new GetAWSDefaultServiceQuotaCommand(input)),
    );
    return answer.Quota?.Value;
  } catch (error) {
    if (isAwsError(error, absent)) return undefined;
    throw error;
  }
}
