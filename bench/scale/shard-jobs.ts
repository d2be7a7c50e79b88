/** What the jobs of a run do, in simulated time. */
import type { Assumptions } from "@tracemill/core/cost/assumptions.ts";
import { exportCalls } from "@tracemill/core/cost/trial-work.ts";
import type { FanOutName } from "@tracemill/core/pipeline/stages.ts";
import type { Submission } from "./batch.ts";
import type { EventLoop } from "./event-loop.ts";
import type { StoreMeters } from "./meters.ts";
import { putSeconds, rowSeconds } from "./pace.ts";
import type { Scenario } from "./scenario.ts";
import { type ShardWork, workUntil } from "./worker.ts";

/** A Dockerfile built and its image pushed. */
const imageSeconds = 300;

interface JobWorld {
  loop: EventLoop;
  meters: StoreMeters;
  random: () => number;
  assumptions: Assumptions;
}

/** What the jobs do. A shard's work is kept only while its job runs. */
export class ShardJobs {
  readonly #scenario: Scenario;
  readonly #world: JobWorld;
  readonly #open = new Map<string, ShardWork>();

  constructor(scenario: Scenario, world: JobWorld) {
    this.#scenario = scenario;
    this.#world = world;
  }

  attempt(job: Submission, interruptAt: number, ended: (how: "done" | "interrupted") => void): void {
    const { loop } = this.#world;
    if (job.kind === "step") {
      this.#step(String(job.parameters.stage), ended);
      return;
    }
    if (job.kind === "image") {
      loop.after(imageSeconds, () => ended("done"));
      return;
    }
    const work = this.#workOf(job);
    const endAt = workUntil(work, loop.now, interruptAt, { ...this.#world, spec: this.#scenario.spec });
    loop.at(endAt, () => {
      if (work.left === 0) this.#open.delete(job.jobName);
      ended(work.left === 0 ? "done" : "interrupted");
    });
  }

  #workOf({ jobName, parameters }: Submission): ShardWork {
    const open = this.#open.get(jobName);
    if (open !== undefined) return open;
    const planned = this.#scenario.shards.get(String(parameters.target));
    if (planned === undefined) throw new Error(`no shard ${parameters.target}`);
    const { shard, sort, archives } = planned;
    const work: ShardWork = { stage: parameters.stage as FanOutName, sort, archives, left: shard.trials };
    this.#open.set(jobName, work);
    return work;
  }

  /** Steps that outgrew their function, and the export: rows one after another, objects some at once. */
  #step(stage: string, ended: (how: "done") => void): void {
    const { plan } = this.#scenario;
    const { loop, meters } = this.#world;
    if (stage !== "export") {
      loop.after(plan.tasks * putSeconds, () => ended("done"));
      return;
    }
    const seconds = plan.trials * rowSeconds;
    const reads = exportCalls.resultsRowReads + exportCalls.datasetReadUnits;
    const gets = exportCalls.datasetGets + exportCalls.trainingGets;
    for (let second = 0; second < seconds; second += 1) {
      const share = plan.trials / seconds;
      meters.add(loop.now + second, { rowReads: reads, objectGets: gets }, share);
    }
    loop.after(seconds, () => ended("done"));
  }
}
