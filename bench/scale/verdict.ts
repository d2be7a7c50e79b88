/** What a simulated run came to: its cost by service, and its peaks against AWS's limits. */
import { type CostLine, totalOf } from "@tracemill/core/cost/lines.ts";
import type { Limits, Prices } from "@tracemill/core/cost/prices.ts";
import type { Rate } from "./rates.ts";
import type { Scenario } from "./scenario.ts";
import type { Simulation } from "./simulate.ts";

/** USD for a million trials. */
export const controlPlaneGoal = 30;

export function costOf({ plan }: Scenario, simulation: Simulation, prices: Prices): CostLine[] {
  const { walk, lambda, meters } = simulation;
  const write = prices.dynamo.perMillionWriteUnits / 1e6;
  const control = (
    service: string,
    what: string,
    quantity: number,
    unit: string,
    price: number,
  ): CostLine => ({
    group: "control",
    service,
    what,
    quantity,
    unit,
    usd: quantity * price,
  });
  // A distributed map's own report: some puts for every thousand items.
  const reports = Math.ceil(plan.shards.length / 1_000) * 3;
  const lines = [
    control(
      "Step Functions",
      "state transitions",
      walk.transitions.total,
      "transitions",
      prices.stepFunctions.perThousandTransitions / 1e3,
    ),
    control("Lambda", "requests", lambda.requests, "requests", prices.lambda.perMillionRequests / 1e6),
    control("Lambda", "memory and time", lambda.gbSeconds, "GB s", prices.lambda.gbSecond),
    control("DynamoDB", "rows written", meters.rowUnits.total, "write units", write),
    control("DynamoDB", "index entries", meters.indexUnits.total, "write units", write),
    control(
      "DynamoDB",
      "rows read",
      meters.readUnits.total,
      "read units",
      prices.dynamo.perMillionReadUnits / 1e6,
    ),
    control("S3", "objects put", meters.puts.total + reports, "puts", prices.s3.perThousandPuts / 1e3),
    control("S3", "objects got", meters.gets.total, "gets", prices.s3.perThousandGets / 1e3),
    control("CloudWatch Logs", "workers' log lines", meters.logBytes / 1e9, "GB", prices.logs.gbIngested),
    ...computeOf(simulation, prices),
  ];
  return lines.filter(({ quantity }) => quantity > 0);
}

function computeOf({ machines, assumptions }: Simulation, prices: Prices): CostLine[] {
  const lines: CostLine[] = [];
  for (const kind of ["container", "sandbox", "step"] as const) {
    const hours = machines[kind].seconds / 3_600;
    const { vcpus, memoryGiB } = assumptions.jobs[kind];
    const { x86, spotShare } = prices.fargate;
    const price =
      (vcpus * x86.vcpuHour + memoryGiB * x86.gbHour) * (kind === "step" ? 1 : spotShare) +
      prices.publicIpHour;
    lines.push({
      group: "compute",
      service: "Fargate",
      what: `${kind} jobs`,
      quantity: hours,
      unit: "hours",
      usd: hours * price,
    });
  }
  const { instance } = assumptions.jobs.host;
  const hours = (machines.host.seconds + machines.image.seconds) / 3_600;
  const price = (prices.ec2.instances[instance]?.hour ?? 0) * prices.ec2.spotShare + prices.publicIpHour;
  lines.push({
    group: "compute",
    service: "EC2",
    what: instance,
    quantity: hours,
    unit: "hours",
    usd: hours * price,
  });
  return lines;
}

export interface Peak {
  what: string;
  value: number;
  limit: number;
  unit: string;
}

/** Every limit of the design, and how near the run came to it. */
export function peaksOf({ plan, spec }: Scenario, simulation: Simulation, limits: Limits): Peak[] {
  const { walk, batch, lambda, meters, machines, listBytes, largestItem } = simulation;
  const fargateLaunches = Math.max(machines.container.launches.peak(60), machines.sandbox.launches.peak(60));
  const written = sumOf(meters.rowUnits, meters.indexUnits);
  const peak = (what: string, value: number, limit: number, unit: string): Peak => ({
    what,
    value,
    limit,
    unit,
  });
  return [
    peak(
      "state transitions",
      walk.transitions.peak(),
      limits.transitionsPerSecond + limits.transitionBurst,
      "a second",
    ),
    peak("events of one execution", walk.mostEvents, limits.historyEvents, "events"),
    peak("largest payload of a state", walk.largestPayload, limits.payloadBytes, "bytes"),
    peak("largest item of a round", largestItem, limits.payloadBytes, "bytes"),
    peak("list of a round", listBytes, limits.mapFileBytes, "bytes"),
    peak("shards at once", walk.children.highest, Math.min(limits.mapConcurrency, spec.aws.jobs), ""),
    peak("jobs submitted", batch.submits.peak(10), limits.batchSubmitsPerSecond * 1.1, "a second (10 s)"),
    // A burst of launches is granted on top of the rate.
    peak(
      "Fargate tasks launched",
      fargateLaunches,
      limits.fargateLaunchesPerSecond + limits.fargateLaunchBurst / 60,
      "a second (60 s)",
    ),
    peak(
      "EC2 instances launched",
      machines.host.launches.peak(600),
      limits.ec2LaunchesPerSecond + limits.ec2LaunchBurst / 600,
      "a second (600 s)",
    ),
    peak("jobs that failed for good", batch.failed, 0, "jobs"),
    // DynamoDB lets a partition go above its rate for some minutes out of what it did not use before.
    peak(
      "rows of the run, one partition",
      meters.rowUnits.peak(300),
      limits.partitionWriteUnits,
      "write units a second (300 s)",
    ),
    peak(
      "rows read, one partition",
      meters.readUnits.peak(300),
      limits.partitionReadUnits,
      "read units a second (300 s)",
    ),
    peak("table, against what it is warmed up to", warmUp(written, limits), 1, "of its capacity"),
    peak("objects put below one prefix", meters.puts.peak(), limits.s3PutsPerSecond, "a second"),
    peak("objects got below one prefix", meters.gets.peak(), limits.s3GetsPerSecond, "a second"),
    peak("longest function", lambda.longest, limits.lambdaSeconds, "s"),
    peak("functions at once", lambda.atOnce.highest, limits.lambdaConcurrency, ""),
    peak("shards.json", Buffer.byteLength(JSON.stringify(plan.shards)), 512e6, "bytes (a string of Node)"),
  ];
}

function sumOf(rows: Rate, indexes: Rate): number[] {
  const others = [...indexes.windows(1)];
  return [...rows.windows(1)].map((units, second) => units + (others[second] ?? 0));
}

/** Seconds in which an on-demand table comes to take twice what it has seen. */
const warmUpSeconds = 1_800;

/** The largest share of its capacity that a new on-demand table was asked for: it doubles each half hour. */
function warmUp(units: readonly number[], { newTableWriteUnits, tableWriteUnits }: Limits): number {
  let capacity = newTableWriteUnits;
  let seen = 0;
  let largest = 0;
  for (const [second, asked] of units.entries()) {
    if (second > 0 && second % warmUpSeconds === 0)
      capacity = Math.min(tableWriteUnits, Math.max(capacity, 2 * seen));
    seen = Math.max(seen, asked);
    largest = Math.max(largest, asked / capacity);
  }
  return largest;
}

/** What is not as it should be, in words; none when all is kept. */
export function complaints(
  scenario: Scenario,
  simulation: Simulation,
  peaks: readonly Peak[],
  lines: readonly CostLine[],
): string[] {
  const perMillion = controlPerMillion(scenario, lines);
  const broken = peaks
    .filter(({ value, limit }) => value > limit)
    .map(({ what, value, limit, unit }) => `${what}: ${figure(value)}, ${figure(limit)} ${unit} allowed`);
  if ("error" in simulation.outcome)
    broken.push(`the execution failed: ${simulation.outcome.error}: ${simulation.outcome.cause}`);
  if (perMillion > controlPlaneGoal)
    broken.push(
      `the control plane costs ${perMillion.toFixed(2)} USD a million trials, ${controlPlaneGoal} allowed`,
    );
  return broken;
}

export function controlPerMillion({ plan }: Scenario, lines: readonly CostLine[]): number {
  return (totalOf(lines, "control") / plan.trials) * 1e6;
}

export function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}
