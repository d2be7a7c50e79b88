/** Drives a planned run through the synthesized state machine in simulated time. */
import { type Assumptions, assumptions as defaults } from "@tracemill/core/cost/assumptions.ts";
import type { Limits } from "@tracemill/core/cost/prices.ts";
import { pipelineDefinition } from "../../infra/asl/definition.ts";
import type { PipelineTargets } from "../../infra/asl/targets.ts";
import { seededRandom } from "../../test/fakes/seeded-random.ts";
import { type Outcome, Walk, type WalkCounts } from "./asl-walk.ts";
import { Batch, type Submission } from "./batch.ts";
import { EventLoop } from "./event-loop.ts";
import { Functions } from "./functions.ts";
import { Lambda } from "./lambda.ts";
import { Ec2Instances, fargateTasks, type Machines } from "./machines.ts";
import { StoreMeters } from "./meters.ts";
import { progressBatch, rowsPerSecond, shardRowsPerReadUnit } from "./pace.ts";
import { runId, type Scenario, stack } from "./scenario.ts";
import { ShardJobs } from "./shard-jobs.ts";
import { TokenBucket } from "./token-bucket.ts";

export interface SimulationOptions {
  seed: number;
  limits: Limits;
  assumptions?: Assumptions;
}

export interface Simulation {
  outcome: Outcome;
  seconds: number;
  walk: WalkCounts;
  batch: Batch;
  lambda: Lambda;
  meters: StoreMeters;
  machines: Record<Submission["kind"], Machines>;
  /** Bytes of the longest round's list. */
  listBytes: number;
  largestItem: number;
  assumptions: Assumptions;
}

/** Attempts in infra/job-definitions.ts, and seconds that a container takes on a running host. */
const jobAttempts = 10;
const onHostSeconds = 10;

export function simulate(scenario: Scenario, options: SimulationOptions): Simulation {
  const { limits, seed, assumptions = defaults } = options;
  const random = seededRandom(seed);
  const loop = new EventLoop();
  const meters = new StoreMeters();
  const lambda = new Lambda(loop);
  const machines = openMachines(loop, random, limits, assumptions);
  const jobs = new ShardJobs(scenario, { loop, meters, random, assumptions });
  const batch = new Batch({
    loop,
    machines,
    attempts: jobAttempts,
    submitBucket: new TokenBucket(limits.batchSubmitsPerSecond, limits.batchSubmitsPerSecond),
    attempt: (job, place, ended) => jobs.attempt(job, place.interruptAt, ended),
  });
  const functions = new Functions(scenario, meters, loop);
  const world = {
    loop,
    random,
    transitionBucket: new TokenBucket(limits.transitionsPerSecond, limits.transitionBurst),
    task: (
      { api, parameters }: { api: string; parameters: Record<string, unknown> },
      done: (o: Outcome) => void,
    ) =>
      api === "lambda:invoke"
        ? lambda.invoke(functions.answer(String(parameters.FunctionName)), done)
        : batch.submit(submissionOf(parameters), done),
    items: () => functions.items(),
  };
  const walk = new Walk(world);
  let outcome: Outcome = { error: "never ended", cause: "" };
  let seconds = 0;
  walk.start(pipelineDefinition(targets), executionInput, (ended) => {
    outcome = ended;
    seconds = loop.now;
  });
  loop.run();
  countProgress(lambda, meters, scenario, seconds, assumptions);
  const { listBytes, largestItem } = functions;
  return {
    outcome,
    seconds,
    walk: walk.counts,
    batch,
    lambda,
    meters,
    machines,
    listBytes,
    largestItem,
    assumptions,
  };
}

const executionInput = { runId, execution: `${runId}-1`, startedAt: 1_795_264_736_094, resumed: false };

const functionNames = ["ingest", "prepare", "plan", "collect", "record-failure", "end-run"] as const;
const targets: PipelineTargets = {
  partition: "aws",
  functions: Object.fromEntries(functionNames.map((name) => [name, name])) as PipelineTargets["functions"],
  step: stack.jobs.step,
};

function submissionOf(parameters: Record<string, unknown>): Submission {
  const queue = String(parameters.JobQueue);
  const kind = queue.slice(queue.lastIndexOf("-") + 1) as Submission["kind"];
  return {
    jobName: String(parameters.JobName),
    kind,
    parameters: parameters.Parameters as Record<string, string>,
  };
}

function openMachines(
  loop: EventLoop,
  random: () => number,
  limits: Limits,
  { jobs, spotInterruptionsPerHour }: Assumptions,
): Record<Submission["kind"], Machines> {
  const fargate = {
    launchesPerSecond: limits.fargateLaunchesPerSecond,
    launchBurst: limits.fargateLaunchBurst,
  };
  const ec2 = { launchesPerSecond: limits.ec2LaunchesPerSecond, launchBurst: limits.ec2LaunchBurst };
  const interruptionsPerHour = spotInterruptionsPerHour;
  const tasks = (startSeconds: number, perHour: number) =>
    fargateTasks(loop, random, { ...fargate, startSeconds, interruptionsPerHour: perHour });
  const instances = (slots: number, startSeconds: number) =>
    new Ec2Instances(loop, random, {
      ...ec2,
      slots,
      startSeconds,
      interruptionsPerHour,
      jobStartSeconds: onHostSeconds,
    });
  return {
    step: tasks(jobs.step.startSeconds, 0),
    container: tasks(jobs.container.startSeconds, interruptionsPerHour),
    sandbox: tasks(jobs.sandbox.startSeconds, interruptionsPerHour),
    // By default a job fills an instance of the cheapest type that holds it.
    host: instances(1, jobs.host.startSeconds),
    gpu: instances(1, jobs.gpu.startSeconds),
    image: instances(1, jobs.host.startSeconds),
  };
}

/** The stream's function sums the shards once a window while anything changes, oftener when much does. */
function countProgress(
  lambda: Lambda,
  meters: StoreMeters,
  { plan }: Scenario,
  seconds: number,
  { progressWindowSeconds }: Assumptions,
): void {
  let at = 0;
  for (const rows of meters.reports.windows(progressWindowSeconds)) {
    if (at > seconds) break;
    const sums = Math.max(1, Math.ceil(rows / progressBatch));
    lambda.count(sums, 0.2 + plan.shards.length / rowsPerSecond);
    meters.readUnits.add(at, sums * (1 + plan.shards.length / shardRowsPerReadUnit));
    meters.add(at, { writeUnits: sums });
    at += progressWindowSeconds;
  }
}
