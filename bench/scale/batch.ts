/** AWS Batch in simulated time: its limit on submits, places for jobs, and what retries a job. */
import type { JobKind } from "@tracemill/core/run/job-kind.ts";
import type { Outcome } from "./asl-walk.ts";
import type { EventLoop } from "./event-loop.ts";
import type { Machines, Place } from "./machines.ts";
import { Level, Rate } from "./rates.ts";
import type { TokenBucket } from "./token-bucket.ts";

export interface Submission {
  jobName: string;
  kind: JobKind | "step" | "image";
  parameters: Record<string, string>;
}

/** One attempt of a job: works from now on until done or until its place is taken away. */
export type Attempt = (job: Submission, place: Place, ended: (how: "done" | "interrupted") => void) => void;

interface BatchWorld {
  loop: EventLoop;
  submitBucket: TokenBucket;
  machines: Record<Submission["kind"], Machines>;
  attempt: Attempt;
  /** Attempts that the job definitions grant. */
  attempts: number;
}

export class Batch {
  readonly submits = new Rate();
  readonly running = new Level();
  throttled = 0;
  interrupted = 0;
  failed = 0;
  readonly #world: BatchWorld;

  constructor(world: BatchWorld) {
    this.#world = world;
  }

  /** `submitJob.sync`. */
  submit(job: Submission, done: (outcome: Outcome) => void): void {
    const { loop, submitBucket } = this.#world;
    if (!submitBucket.take(loop.now)) {
      this.throttled += 1;
      done({ error: "Batch.TooManyRequestsException", cause: "Too Many Requests" });
      return;
    }
    this.submits.add(loop.now);
    this.#run(job, 1, done);
  }

  #run(job: Submission, attempt: number, done: (outcome: Outcome) => void): void {
    this.#world.machines[job.kind].ask((place) => {
      this.running.change(1);
      this.#world.attempt(job, place, (how) => {
        this.running.change(-1);
        place.free();
        if (how === "done") {
          done({ output: { Status: "SUCCEEDED" } });
          return;
        }
        this.interrupted += 1;
        if (attempt < this.#world.attempts) {
          this.#run(job, attempt + 1, done);
          return;
        }
        this.failed += 1;
        done({ error: "States.TaskFailed", cause: '{"StatusReason":"Host EC2 (instance i-0) terminated."}' });
      });
    });
  }
}
