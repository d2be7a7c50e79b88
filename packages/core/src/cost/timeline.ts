/** How long a run takes, and what it waits for. */
import type { FanOutName } from "../pipeline/stages.ts";
import type { JobKind } from "../run/job-kind.ts";
import type { RunSpec } from "../run/spec.ts";
import type { Assumptions } from "./assumptions.ts";
import type { Limits } from "./prices.ts";
import type { PlanShape, ShardGroup, SortCount } from "./shape.ts";

export interface TimeInput {
  shape: PlanShape;
  spec: RunSpec;
  assumptions: Assumptions;
  limits: Limits;
}

/** Seconds of one attempt's part in a stage. */
export function attemptSeconds(
  stage: FanOutName,
  sort: SortCount,
  { assumptions, spec }: Pick<TimeInput, "assumptions" | "spec">,
): number {
  if (stage === "evaluate")
    return sort.decidedBy === "tests" ? assumptions.testsSeconds : assumptions.verdictSeconds;
  if (sort.pace === "instant") return assumptions.verdictSeconds;
  const own = sort.pace === "model" ? assumptions.modelAgentSeconds : assumptions.scriptedAgentSeconds;
  return Math.min(own, (spec.limits.time ?? Number.POSITIVE_INFINITY) / 1_000);
}

export interface StageWork {
  stage: FanOutName;
  kind: JobKind;
  jobs: number;
  /** Seconds that jobs of this stage run, all together; starts, retries and interruptions with them. */
  jobSeconds: number;
  /** Attempts' own seconds, all together. */
  trialSeconds: number;
}

/** The jobs of a group of shards, stage by stage. */
export function stageWorkOf(group: ShardGroup, input: Omit<TimeInput, "limits">): StageWork[] {
  return (["trace", "evaluate"] as const).map((stage) => {
    const { assumptions, spec } = input;
    const kind = group[stage];
    const sum = group.sorts.reduce((all, sort) => all + sort.trials * attemptSeconds(stage, sort, input), 0);
    const trialSeconds = sum * assumptions.attemptsPerTrial;
    const busy = (trialSeconds / Math.max(1, group.trials)) * group.waves;
    const starts = group.shards * assumptions.jobs[kind].startSeconds;
    const lost = spec.aws.spot ? interruptions(busy, assumptions) * assumptions.jobs[kind].startSeconds : 0;
    return { stage, kind, jobs: group.shards, jobSeconds: starts + busy + lost, trialSeconds };
  });
}

/** Spot interruptions that jobs meet while they run this long together. */
export function interruptions(jobSeconds: number, { spotInterruptionsPerHour }: Assumptions): number {
  return (jobSeconds / 3_600) * spotInterruptionsPerHour;
}

export interface Timeline {
  /** Of prepare, plan and collect. */
  stepSeconds: number;
  shardSeconds: number;
  exportSeconds: number;
  seconds: number;
  /** Jobs at work at once. */
  jobsAtOnce: number;
  /** What `shardSeconds` follows from. */
  bound: "work" | "capacity" | "submits" | "launches";
}

/** Objects and rows that results and datasets read at once. */
const exportReadsAtOnce = 16;

export function timelineOf(input: TimeInput, work: readonly StageWork[]): Timeline {
  const { shape, spec, assumptions, limits } = input;
  const jobsAtOnce = Math.max(1, Math.min(spec.aws.jobs, limits.mapConcurrency, shape.shards));
  const capacity = capacitySeconds(work, assumptions);
  const jobs = work.reduce((sum, each) => sum + each.jobs, 0);
  const longest = work.reduce((sum, each) => Math.max(sum, each.jobSeconds / Math.max(1, each.jobs)), 0);
  const worked = work.reduce((sum, each) => sum + each.jobSeconds, 0) / jobsAtOnce;
  const onFargate = work.filter(({ kind }) => kind === "container" || kind === "sandbox");
  const launched = onFargate.reduce((sum, each) => sum + each.jobs, 0) / limits.fargateLaunchesPerSecond;
  const bounds = {
    // The last shards are not all of the same length: half a job more.
    work: worked + longest / 2,
    capacity: capacity === 0 ? 0 : capacity + longest / 2,
    submits: jobs / limits.batchSubmitsPerSecond,
    launches: launched,
  };
  const bound = (Object.keys(bounds) as Timeline["bound"][]).reduce((a, b) =>
    bounds[b] > bounds[a] ? b : a,
  );
  const stepSeconds = (shape.tasks + 2 * shape.shards) * assumptions.storeCallSeconds;
  const exportSeconds = exportTime(input);
  const seconds = stepSeconds + bounds[bound] + exportSeconds;
  const held = bound === "capacity" ? Math.ceil((worked * jobsAtOnce) / capacity) : jobsAtOnce;
  return { stepSeconds, shardSeconds: bounds[bound], exportSeconds, seconds, jobsAtOnce: held, bound };
}

/** How long the jobs of the busiest kind take when as many run as the stage allows. */
function capacitySeconds(work: readonly StageWork[], { jobs }: Assumptions): number {
  const kinds = [...new Set(work.map(({ kind }) => kind))];
  const of = (kind: JobKind): number => {
    const seconds = work.reduce((sum, each) => sum + (each.kind === kind ? each.jobSeconds : 0), 0);
    return seconds / Math.max(1, Math.floor(jobs[kind].maxVcpus / jobs[kind].vcpus));
  };
  return Math.max(0, ...kinds.map(of));
}

/** Rows for the results table one after another; for the dataset results, then trajectories, some at once. */
function exportTime({ shape, spec, assumptions }: TimeInput): number {
  const table = shape.trials * assumptions.storeCallSeconds;
  const dataset = spec.export === undefined ? 0 : (2 * table) / exportReadsAtOnce;
  return table + dataset + assumptions.jobs.step.startSeconds;
}
