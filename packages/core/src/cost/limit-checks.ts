/** Holds an estimate against AWS's limits and quotas. */
import type { JobKind } from "../run/job-kind.ts";
import type { RunSpec } from "../run/spec.ts";
import type { Assumptions } from "./assumptions.ts";
import { trialCalls } from "./control-lines.ts";
import type { Limits } from "./prices.ts";
import type { PlanShape } from "./shape.ts";
import type { StageWork, Timeline } from "./timeline.ts";

export interface LimitCheck {
  what: string;
  /** What the run comes to. */
  value: number;
  limit: number;
  unit: string;
  /** `kept`: below it. `waits`: the run goes at this rate. `raise`: a quota of a new account; ask for more. */
  verdict: "kept" | "waits" | "raise";
}

export interface LimitInput {
  shape: PlanShape;
  spec: RunSpec;
  work: readonly StageWork[];
  timeline: Timeline;
  assumptions: Assumptions;
  limits: Limits;
}

/** Bytes of one entry of a round's list, and of one shard in `shards.json`: measured by `bench/scale`. */
export const listBytes = { shardItem: 2_000, shard: 260 } as const;

export function limitChecks(input: LimitInput): LimitCheck[] {
  const { shape, timeline, limits } = input;
  const rate = (count: number): number => count / Math.max(1, timeline.shardSeconds);
  const jobs = input.work.reduce((sum, each) => sum + each.jobs, 0);
  const calls = trialCalls(shape, input.assumptions);
  return [
    check("jobs at once", timeline.jobsAtOnce, limits.mapConcurrency, "", "waits"),
    check("jobs submitted", rate(jobs), limits.batchSubmitsPerSecond, "a second", "waits"),
    check(
      "Fargate tasks launched",
      rate(fargateJobs(input)),
      limits.fargateLaunchesPerSecond,
      "a second",
      "waits",
    ),
    check(
      "rows of the run written",
      rate(calls.writeUnits),
      limits.partitionWriteUnits,
      "write units a second",
      "waits",
    ),
    check("objects put", rate(calls.objectPuts), limits.s3PutsPerSecond, "a second", "waits"),
    check("round's list", shape.shards * listBytes.shardItem, limits.mapFileBytes, "bytes", "raise"),
    ...vcpuChecks(input),
  ].filter(({ value }) => value > 0);
}

function check(
  what: string,
  value: number,
  limit: number,
  unit: string,
  beyond: "waits" | "raise",
): LimitCheck {
  return { what, value, limit, unit, verdict: value <= limit ? "kept" : beyond };
}

function fargateJobs({ work }: LimitInput): number {
  return work
    .filter(({ kind }) => kind === "container" || kind === "sandbox")
    .reduce((sum, { jobs }) => sum + jobs, 0);
}

/** vCPUs that the jobs at once take, against what a new account has of each kind. */
function vcpuChecks({ work, timeline, spec, assumptions, limits }: LimitInput): LimitCheck[] {
  const total = work.reduce((sum, { jobSeconds }) => sum + jobSeconds, 0);
  const wanted = { fargate: 0, standard: 0, gpu: 0 };
  for (const kind of new Set(work.map((each) => each.kind))) {
    const { vcpus, maxVcpus } = assumptions.jobs[kind];
    const seconds = work.reduce((sum, each) => sum + (each.kind === kind ? each.jobSeconds : 0), 0);
    const jobs = Math.ceil((timeline.jobsAtOnce * seconds) / Math.max(1, total));
    wanted[familyOf(kind)] += Math.min(jobs * vcpus, Math.max(vcpus, maxVcpus));
  }
  const names = { fargate: "Fargate", standard: "EC2 standard instances", gpu: "EC2 G instances" };
  const terms = spec.aws.spot ? "Spot" : "on demand";
  return (["fargate", "standard", "gpu"] as const)
    .filter((family) => wanted[family] > 0)
    .map((family) => {
      const quota = limits.newAccountVcpus[spec.aws.spot ? (`${family}Spot` as const) : family];
      const unit = "vCPUs (a new account's quota)";
      return check(`${names[family]}, ${terms}`, wanted[family], quota, unit, "raise");
    });
}

function familyOf(kind: JobKind): "fargate" | "standard" | "gpu" {
  if (kind === "gpu") return "gpu";
  return kind === "host" ? "standard" : "fargate";
}
