/** What does the work: jobs on Fargate and EC2, their addresses, models behind an API, and what stays stored. */

import { TracemillError } from "../errors.ts";
import type { JobKind } from "../run/job-kind.ts";
import type { Assumptions } from "./assumptions.ts";
import { trialCalls } from "./control-lines.ts";
import type { CostInput } from "./cost-input.ts";
import type { CostLine } from "./lines.ts";
import type { InstancePrice, Prices } from "./prices.ts";
import type { PlanShape } from "./shape.ts";
import { endedRowBytes } from "./trial-work.ts";

const hour = 3_600;

/** @throws TracemillError `invalid-input` when the assumptions name an instance type without a price. */
export function computeLines(input: CostInput): CostLine[] {
  const { work, timeline, spec } = input;
  const lines = work
    .filter(({ jobs }) => jobs > 0)
    .flatMap(({ stage, kind, jobSeconds }) =>
      jobLines(`${stage} in ${kind} jobs`, kind, jobSeconds / hour, spec.aws.spot, input),
    );
  // Results and dataset are written by one job on demand: an interruption would begin it again.
  lines.push(...jobLines("export in a job", "step", timeline.exportSeconds / hour, false, input));
  return lines;
}

function jobLines(
  what: string,
  kind: JobKind | "step",
  hours: number,
  spot: boolean,
  { assumptions, prices }: CostInput,
): CostLine[] {
  const terms = spot ? "Spot" : "on demand";
  if (kind === "host" || kind === "gpu") {
    const size = assumptions.jobs[kind];
    const type = instanceOf(size.instance, prices);
    const machines = (hours * shareOf(type, size)) / (kind === "gpu" ? 1 : assumptions.packing);
    const price = type.hour * (spot ? prices.ec2.spotShare : 1) + prices.publicIpHour;
    const label = `${what}, ${size.instance} ${terms}`;
    return [compute("EC2", label, machines, "hours", price)];
  }
  const { vcpus, memoryGiB } = assumptions.jobs[kind];
  const { x86, spotShare } = prices.fargate;
  const share = spot ? spotShare : 1;
  return [
    compute("Fargate", `${what}, ${terms}`, hours * vcpus, "vCPU hours", x86.vcpuHour * share),
    compute("Fargate", `${what}, memory`, hours * memoryGiB, "GB hours", x86.gbHour * share),
    compute("VPC", `${what}, public addresses`, hours, "hours", prices.publicIpHour),
  ];
}

function compute(service: string, what: string, quantity: number, unit: string, price: number): CostLine {
  return { group: "compute", service, what, quantity, unit, usd: quantity * price };
}

function instanceOf(name: string, { ec2 }: Prices): InstancePrice {
  const found = ec2.instances[name];
  if (found !== undefined) return found;
  throw new TracemillError(
    "invalid-input",
    `no price of the instance type ${name}; add it below \`prices.ec2.instances\` in the file of --prices`,
  );
}

/** Of an instance, what one job takes: the scarcest of its vCPUs, memory and GPUs. */
function shareOf(type: InstancePrice, job: Assumptions["jobs"]["host"]): number {
  const gpus = job.gpus === 0 ? 0 : job.gpus / Math.max(type.gpus, Number.EPSILON);
  return Math.min(1, Math.max(job.vcpus / type.vcpus, job.memoryGiB / type.memoryGiB, gpus));
}

/** Calls to models behind an API; a model that the spec's `models` serves costs only its GPU. */
export function modelLines({ shape, spec, assumptions, prices }: CostInput): CostLine[] {
  return shape.groups.flatMap(({ model, trials }) => {
    if (model === undefined || spec.models[model] !== undefined) return [];
    const price = prices.models[model];
    const attempts = trials * assumptions.attemptsPerTrial;
    const cap = spec.limits.costUsd;
    const tokens = (what: string, each: number, perMillion: number | undefined): CostLine => {
      const millions = (attempts * each) / 1e6;
      const usd = perMillion === undefined ? {} : { usd: millions * perMillion };
      return { group: "models", service: model, what, quantity: millions, unit: "million tokens", ...usd };
    };
    const lines = [
      tokens("prompt", assumptions.promptTokens, price?.perMillionPrompt),
      tokens("completion", assumptions.completionTokens, price?.perMillionCompletion),
    ];
    const known = lines.reduce((sum, each) => sum + (each.usd ?? 0), 0);
    if (cap === undefined || price === undefined || known <= attempts * cap) return lines;
    return lines.map((each) => ({ ...each, usd: ((each.usd ?? 0) * attempts * cap) / known }));
  });
}

/** What the run leaves stored, a month. */
export function storageLines({ shape, assumptions, prices }: CostInput): CostLine[] {
  const sorts = shape.groups.flatMap(({ sorts: each }) => each);
  const objectBytes = sorts.reduce(
    (sum, sort) =>
      sum +
      sort.trials *
        assumptions.attemptsPerTrial *
        (assumptions.trajectoryBytes +
          assumptions.resultBytes +
          (sort.exchanges ? assumptions.exchangesBytes : 0) +
          (sort.sandboxed.trace ? assumptions.artifactsBytes : 0)),
    shape.tasks * assumptions.taskBytes,
  );
  const gb = objectBytes / 1e9;
  const rows = (shape.trials * endedRowBytes) / 1e9;
  const rowPrice = prices.dynamo.gbMonth + prices.dynamo.backupGbMonth;
  return [
    {
      group: "storage",
      service: "S3",
      what: "objects kept",
      quantity: gb,
      unit: "GB",
      usd: gb * prices.s3.gbMonth,
    },
    {
      group: "storage",
      service: "DynamoDB",
      what: "rows kept",
      quantity: rows,
      unit: "GB",
      usd: rows * rowPrice,
    },
  ];
}

/** Objects that a run puts, by which prefixes are held against S3's rates. */
export function putsPerTrial(shape: PlanShape, assumptions: Assumptions): number {
  return trialCalls(shape, assumptions).objectPuts / Math.max(1, shape.trials);
}
