/** What the control plane costs: state transitions, functions, rows, object requests, logs. */
import type { RunSpec } from "../run/spec.ts";
import type { Assumptions } from "./assumptions.ts";
import type { CostInput } from "./cost-input.ts";
import type { CostLine } from "./lines.ts";
import type { Prices } from "./prices.ts";
import type { PlanShape, SortCount } from "./shape.ts";
import { attemptSeconds, type StageWork, type Timeline } from "./timeline.ts";
import {
  evaluateCalls,
  exportCalls,
  heartbeatUnits,
  perJobCalls,
  type StoreCalls,
  specGets,
  traceCalls,
} from "./trial-work.ts";

/** State transitions of a run's executions; the walk of the real definition in `bench/scale` holds them. */
export const transitions = {
  /** A shard's own execution: its start, the choice, `trace`, `evaluate`. */
  perShard: 4,
  /** An image's: its start and the job. */
  perImage: 2,
  /** Everything else of an execution without faults. */
  perRun: 16,
} as const;

/** A round's list, the plan's shard and the map's own report of it. */
const putsPerShard = 3;

/** Write units of a shard's row with its failures and tally. */
const shardRowUnits = 1;

/** GB of memory of a function, and rows of shards in a read unit. */
const functionGb = 1;
const shardRowsPerReadUnit = 6;
/** Changed rows that one invocation of `progress` takes at most. */
const progressBatch = 1_000;
/** A function reads some 20,000 rows of shards a second. */
const shardRowsPerSecond = 20_000;
const functionsPerRun = 8;

export function controlLines(input: CostInput): CostLine[] {
  const { shape, prices } = input;
  const moved =
    shape.shards * transitions.perShard + shape.images * transitions.perImage + transitions.perRun;
  return [
    line(
      "Step Functions",
      "state transitions",
      moved,
      "transitions",
      prices.stepFunctions.perThousandTransitions / 1e3,
    ),
    ...functionLines(input),
    ...storeLines(input),
    line("CloudWatch Logs", "workers' log lines", logGb(input), "GB", prices.logs.gbIngested),
  ];
}

function line(service: string, what: string, quantity: number, unit: string, price: number): CostLine {
  return { group: "control", service, what, quantity, unit, usd: quantity * price };
}

function functionLines({ shape, work, timeline, assumptions, prices }: CostInput): CostLine[] {
  const reported = reports(work, assumptions);
  const sums = Math.max(reported / progressBatch, progressSums(timeline, assumptions));
  const requests = functionsPerRun + sums;
  const seconds = Math.min(timeline.stepSeconds, 900) + sums * (0.2 + shape.shards / shardRowsPerSecond);
  const readUnits = sums * (1 + shape.shards / shardRowsPerReadUnit);
  return [
    line("Lambda", "requests", requests, "requests", prices.lambda.perMillionRequests / 1e6),
    line("Lambda", "memory and time", seconds * functionGb, "GB s", prices.lambda.gbSecond),
    line("DynamoDB", "progress: shards summed", readUnits, "read units", readPrice(prices)),
    line("DynamoDB", "progress: shards' rows", reported * shardRowUnits, "write units", writePrice(prices)),
  ];
}

/** How often the shards of a run are summed while its jobs report. */
function progressSums({ shardSeconds }: Timeline, { progressWindowSeconds }: Assumptions): number {
  return Math.ceil(shardSeconds / progressWindowSeconds);
}

function reports(work: readonly StageWork[], { reportSeconds }: Assumptions): number {
  return work.reduce(
    (sum, each) => sum + each.jobSeconds / reportSeconds + each.jobs * perJobCalls.rowWrites,
    0,
  );
}

function storeLines(input: CostInput): CostLine[] {
  const { shape, spec, work, prices, assumptions } = input;
  const calls = trialCalls(shape, assumptions);
  const jobs = work.reduce((sum, each) => sum + each.jobs, 0);
  const archives = 2 * shape.groups.reduce((sum, { archives: each }) => sum + each, 0);
  const exports = exportOf(spec, shape.trials);
  const put = prices.s3.perThousandPuts / 1e3;
  const get = prices.s3.perThousandGets / 1e3;
  return [
    line("DynamoDB", "trials' rows written", calls.writeUnits, "write units", writePrice(prices)),
    line("DynamoDB", "trials' index entries", calls.indexUnits, "write units", writePrice(prices)),
    line("DynamoDB", "leases renewed", heartbeats(input), "write units", writePrice(prices)),
    line(
      "DynamoDB",
      "rows read",
      calls.rowReads + jobs * perJobCalls.rowReads + exports.readUnits,
      "read units",
      readPrice(prices),
    ),
    line("S3", "attempts' objects put", calls.objectPuts, "puts", put),
    line("S3", "tasks, plan and lists put", shape.tasks + shape.shards * putsPerShard, "puts", put),
    line(
      "S3",
      "objects got",
      calls.objectGets + archives + jobs * (perJobCalls.objectGets + specGets) + exports.gets,
      "gets",
      get,
    ),
  ];
}

/** What all trials ask of the stores; a repeated attempt asks for all of it again. */
export function trialCalls(shape: PlanShape, { attemptsPerTrial }: Assumptions): StoreCalls {
  const rows = { rowReads: 0, rowWrites: 0, writeUnits: 0, indexUnits: 0 };
  const sum: StoreCalls = { objectPuts: 0, objectGets: 0, ...rows };
  for (const sort of shape.groups.flatMap(({ sorts }) => sorts)) {
    for (const calls of [traceCalls(sort), evaluateCalls(sort)]) {
      for (const name of Object.keys(sum) as (keyof StoreCalls)[])
        sum[name] += calls[name] * sort.trials * attemptsPerTrial;
    }
  }
  return sum;
}

function heartbeats(input: CostInput): number {
  const of = (sort: SortCount): number =>
    (["trace", "evaluate"] as const).reduce((sum, stage) => {
      const beats = Math.floor(attemptSeconds(stage, sort, input) / input.assumptions.heartbeatSeconds);
      return sum + beats * heartbeatUnits;
    }, 0);
  return input.shape.groups
    .flatMap(({ sorts }) => sorts)
    .reduce((sum, sort) => sum + of(sort) * sort.trials * input.assumptions.attemptsPerTrial, 0);
}

function exportOf({ export: wanted }: RunSpec, trials: number): { readUnits: number; gets: number } {
  const { resultsRowReads, datasetReadUnits, datasetGets, trainingGets } = exportCalls;
  if (wanted === undefined) return { readUnits: trials * resultsRowReads, gets: 0 };
  const training = wanted.formats.some((format) => format !== "trials") ? trainingGets : 0;
  return {
    readUnits: trials * (resultsRowReads + datasetReadUnits),
    gets: trials * (datasetGets + training),
  };
}

function logGb({ shape, assumptions }: CostInput): number {
  return (shape.trials * assumptions.logBytesPerTrial * assumptions.attemptsPerTrial) / 1e9;
}

function writePrice({ dynamo }: Prices): number {
  return dynamo.perMillionWriteUnits / 1e6;
}

function readPrice({ dynamo }: Prices): number {
  return dynamo.perMillionReadUnits / 1e6;
}
