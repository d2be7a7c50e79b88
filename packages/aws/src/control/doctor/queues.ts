import {
  type BatchClient,
  type ComputeEnvironmentDetail,
  type CRType,
  DescribeComputeEnvironmentsCommand,
  DescribeJobQueuesCommand,
  type JobQueueDetail,
} from "@aws-sdk/client-batch";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import type { StackInfo } from "../../stack.ts";
import { callService } from "../service-call.ts";
import { checked } from "./check.ts";

/** A compute environment, as far as capacity goes. */
export interface Capacity {
  name: string;
  type: CRType;
  maxVcpus: number;
  /** Families that EC2 ones may use: `g6`, `m7g.xlarge`, `optimal`. */
  instanceTypes: string[];
}

/** The kinds of job that have a queue. */
export type QueueKind = keyof StackInfo["jobs"];

/** Batch's limit for one Describe call. */
const describeBatch = 100;

/** The queues of a stage's job kinds, by their name or ARN, with the kinds that use each. */
export function queuesOf(
  { jobs, onDemandQueues }: Pick<StackInfo, "jobs" | "onDemandQueues">,
  kinds?: readonly QueueKind[],
): Map<string, QueueKind[]> {
  const queues = new Map<string, QueueKind[]>();
  const add = (kind: string, queue: string | undefined): void => {
    const known = kind as QueueKind;
    if (queue === undefined || (kinds !== undefined && !kinds.includes(known))) return;
    queues.set(queue, [...(queues.get(queue) ?? []), known]);
  };
  for (const [kind, target] of Object.entries(jobs)) add(kind, target?.queue);
  for (const [kind, queue] of Object.entries(onDemandQueues)) add(kind, queue);
  return queues;
}

/** Whether each queue takes jobs, each of its compute environments works, and has room for one job. */
export async function queueChecks(
  batch: BatchClient,
  stack: StackInfo,
  kinds?: readonly QueueKind[],
): Promise<DoctorCheck[]> {
  return checked("queues", async () => {
    const queues = queuesOf(stack, kinds);
    const details = await describeQueues(batch, [...queues.keys()]);
    const environments = await describeEnvironments(batch, details.flatMap(environmentsOf));
    return [...queues].map(([queue, users]) => queueCheck({ queue, users, details, environments, stack }));
  });
}

/** What the stage's compute environments may grow to. */
export async function capacities(batch: BatchClient, stack: StackInfo): Promise<Capacity[]> {
  const queues = await describeQueues(batch, [...queuesOf(stack).keys()]);
  const environments = await describeEnvironments(batch, queues.flatMap(environmentsOf));
  return environments.flatMap(({ computeEnvironmentName: name = "", computeResources: resources }) =>
    resources?.type === undefined
      ? []
      : [
          {
            name,
            type: resources.type,
            maxVcpus: resources.maxvCpus ?? 0,
            instanceTypes: resources.instanceTypes ?? [],
          },
        ],
  );
}

interface Looked {
  queue: string;
  users: QueueKind[];
  details: JobQueueDetail[];
  environments: ComputeEnvironmentDetail[];
  stack: StackInfo;
}

function queueCheck({ queue, users, details, environments, stack }: Looked): DoctorCheck {
  const isOnDemand = Object.values(stack.onDemandQueues).includes(queue);
  const name = `queue of ${users.join(", ")}${isOnDemand ? " (on demand)" : ""}`;
  const again = `deploy the stage again (\`npx sst deploy --stage ${stack.stage}\`)`;
  const found = details.find((each) => each.jobQueueArn === queue || each.jobQueueName === queue);
  if (found === undefined) return { name, status: "missing", detail: `${queue} is not there`, remedy: again };
  if (found.state !== "ENABLED" || found.status !== "VALID") {
    const detail = `${found.jobQueueName} is ${found.state}, ${found.status}: ${found.statusReason ?? "no reason given"}`;
    return { name, status: "missing", detail, remedy: again };
  }
  const used = environmentsOf(found).map((arn) =>
    environments.find((each) => each.computeEnvironmentArn === arn),
  );
  const broken = used.find((each) => each?.state !== "ENABLED" || each.status !== "VALID");
  if (broken !== undefined || used.length === 0) {
    const which = broken?.computeEnvironmentName ?? "a compute environment";
    const detail = `${which} is ${broken?.state}, ${broken?.status}: ${broken?.statusReason ?? "no reason given"}`;
    return { name, status: "missing", detail, remedy: again };
  }
  return roomCheck(name, users, used, stack);
}

/** A job that wants more than the largest environment can ever hold waits for good. */
function roomCheck(
  name: string,
  users: QueueKind[],
  used: (ComputeEnvironmentDetail | undefined)[],
  stack: StackInfo,
): DoctorCheck {
  const largest = Math.max(...used.map((each) => each?.computeResources?.maxvCpus ?? 0));
  const wanted = Math.max(...users.map((kind) => stack.sizes[kind]?.vcpus ?? 0));
  const detail = `up to ${largest} vCPUs, ${wanted} a job`;
  if (largest >= wanted) return { name, status: "ok", detail };
  const remedy = `raise the limit of vCPUs in infra/stages/${stack.stage}.yaml, then \`npx sst deploy --stage ${stack.stage}\``;
  return { name, status: "missing", detail: `${detail}: its jobs would wait for good`, remedy };
}

function environmentsOf({ computeEnvironmentOrder = [] }: JobQueueDetail): string[] {
  return computeEnvironmentOrder.flatMap(({ computeEnvironment }) => computeEnvironment ?? []);
}

async function describeQueues(batch: BatchClient, queues: string[]): Promise<JobQueueDetail[]> {
  const call = { doing: "describing the job queues", action: "batch:DescribeJobQueues" };
  return inBatches(queues, async (jobQueues) => {
    const answer = await callService(call, () => batch.send(new DescribeJobQueuesCommand({ jobQueues })));
    return answer.jobQueues ?? [];
  });
}

async function describeEnvironments(
  batch: BatchClient,
  names: string[],
): Promise<ComputeEnvironmentDetail[]> {
  const call = { doing: "describing the compute environments", action: "batch:DescribeComputeEnvironments" };
  return inBatches([...new Set(names)], async (computeEnvironments) => {
    const command = new DescribeComputeEnvironmentsCommand({ computeEnvironments });
    return (await callService(call, () => batch.send(command))).computeEnvironments ?? [];
  });
}

async function inBatches<T>(names: string[], ask: (batch: string[]) => Promise<T[]>): Promise<T[]> {
  const found: T[] = [];
  for (let start = 0; start < names.length; start += describeBatch) {
    found.push(...(await ask(names.slice(start, start + describeBatch))));
  }
  return found;
}
