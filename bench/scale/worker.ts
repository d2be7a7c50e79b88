/** What a worker does with a shard in one stage, in simulated time. */
import type { Assumptions } from "@tracemill/core/cost/assumptions.ts";
import type { SortCount } from "@tracemill/core/cost/shape.ts";
import { attemptSeconds } from "@tracemill/core/cost/timeline.ts";
import {
  evaluateCalls,
  heartbeatUnits,
  perJobCalls,
  type StoreCalls,
  specGets,
  traceCalls,
} from "@tracemill/core/cost/trial-work.ts";
import type { FanOutName } from "@tracemill/core/pipeline/stages.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { StoreMeters } from "./meters.ts";
import { durationAround } from "./random.ts";

export interface ShardWork {
  stage: FanOutName;
  sort: SortCount;
  /** Distinct tasks: archives to be read by each job. */
  archives: number;
  /** Trials left. */
  left: number;
}

export interface WorkerWorld {
  spec: RunSpec;
  assumptions: Assumptions;
  meters: StoreMeters;
  random: () => number;
}

/** Of a trial's attempts, those that fail for reasons not the agent's and are repeated at once. */
const repeated = 0.03;

/**
 * One attempt of a shard's job, from `startAt` until the trials are done or the place is taken away. Lowers
 * `work.left`.
 * @returns when it ended.
 */
export function workUntil(work: ShardWork, startAt: number, interruptAt: number, world: WorkerWorld): number {
  const { meters, spec, assumptions } = world;
  meters.add(startAt, { ...perJobCalls, objectGets: perJobCalls.objectGets + specGets + work.archives });
  const lanes = new Array<number>(Math.min(spec.concurrency, work.left)).fill(startAt);
  let endAt = startAt;
  for (let trials = work.left; trials > 0; trials -= 1) {
    const lane = lanes.indexOf(Math.min(...lanes));
    const begin = lanes[lane] ?? startAt;
    if (begin >= interruptAt) break;
    const end = oneTrial(work, begin, interruptAt, world);
    if (end <= interruptAt) work.left -= 1;
    lanes[lane] = end;
    endAt = Math.max(endAt, Math.min(end, interruptAt));
  }
  for (let at = startAt + assumptions.reportSeconds; at < endAt; at += assumptions.reportSeconds) {
    meters.add(at, { rowReads: 1, writeUnits: 1 });
    meters.reports.add(at);
  }
  meters.reports.add(startAt);
  meters.reports.add(endAt);
  return endAt;
}

/** @returns when the trial's part in the stage ends, or would have ended. */
function oneTrial(work: ShardWork, begin: number, interruptAt: number, world: WorkerWorld): number {
  const { stage, sort } = work;
  const { meters, random, assumptions } = world;
  const calls = stage === "trace" ? traceCalls(sort) : evaluateCalls(sort);
  const mean = attemptSeconds(stage, sort, world);
  const attempts = stage === "trace" && random() < repeated ? 2 : 1;
  let end = begin;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const from = end;
    end += durationAround(mean, random);
    meters.add(from, claimPart(calls));
    const beats = Math.floor((Math.min(end, interruptAt) - from) / assumptions.heartbeatSeconds);
    for (let beat = 1; beat <= beats; beat += 1) {
      meters.add(from + beat * assumptions.heartbeatSeconds, { writeUnits: heartbeatUnits });
    }
    meters.logBytes += assumptions.logBytesPerTrial / 2;
    // What is in flight when the place is taken away is given back: its row, its exchanges and a result.
    if (end > interruptAt) {
      meters.add(interruptAt, { objectPuts: 2, writeUnits: 1 });
      return end;
    }
    meters.add(end, endPart(calls));
  }
  return end;
}

/** A stage reads and claims a trial when it begins, and writes the rest when it ends. */
function claimPart(calls: StoreCalls): Partial<StoreCalls> {
  const { objectGets, rowReads, writeUnits, indexUnits } = calls;
  return { objectGets, rowReads, writeUnits: writeUnits / 2, indexUnits: indexUnits / 3 };
}

function endPart({ objectPuts, writeUnits, indexUnits }: StoreCalls): Partial<StoreCalls> {
  return { objectPuts, writeUnits: writeUnits / 2, indexUnits: (2 * indexUnits) / 3 };
}
