/** The functions of the pipeline in simulated time: how long each takes at this size, and what it answers. */
import type { Outcome } from "./asl-walk.ts";
import type { EventLoop } from "./event-loop.ts";
import { Level } from "./rates.ts";

/** A step ends itself before its function's 900 s run out, and a job goes on with it. */
const patience = 840;

export interface Answer {
  seconds: number;
  output: Record<string, unknown>;
}

export class Lambda {
  readonly atOnce = new Level();
  requests = 0;
  gbSeconds = 0;
  longest = 0;
  readonly #loop: EventLoop;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** `lambda:invoke`. A step that would take longer than its function has says `unfinished`. */
  invoke({ seconds, output }: Answer, done: (outcome: Outcome) => void): void {
    const lasts = Math.min(seconds, patience);
    this.count(1, lasts);
    this.atOnce.change(1);
    this.#loop.after(lasts, () => {
      this.atOnce.change(-1);
      done({ output: { Payload: seconds > patience ? { unfinished: true } : output } });
    });
  }

  /** Invocations of 1 GB. */
  count(requests: number, seconds: number): void {
    this.requests += requests;
    this.gbSeconds += requests * seconds;
    this.longest = Math.max(this.longest, seconds);
  }
}
