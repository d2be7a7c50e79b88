/** Places for jobs: Fargate tasks, and EC2 instances that hold several. Both may be taken away (Spot). */
import type { EventLoop } from "./event-loop.ts";
import { secondsUntil } from "./random.ts";
import { Level, Rate } from "./rates.ts";
import { TokenBucket } from "./token-bucket.ts";

/** What a job runs on. */
export interface Place {
  /** When it is taken away, in simulated seconds. */
  interruptAt: number;
  /** Gives it back at the job's end. */
  free(): void;
}

export interface Machines {
  /** Calls back once there is a place. */
  ask(give: (place: Place) => void): void;
  readonly launches: Rate;
  readonly atOnce: Level;
  /** Of tasks or instances. */
  seconds: number;
}

interface Terms {
  interruptionsPerHour: number;
  launchesPerSecond: number;
  launchBurst: number;
  /** From the launch until work can begin. */
  startSeconds: number;
}

/** A task for each job. */
export function fargateTasks(loop: EventLoop, random: () => number, terms: Terms): Machines {
  const bucket = new TokenBucket(terms.launchesPerSecond, terms.launchBurst);
  const machines: Machines = {
    launches: new Rate(),
    atOnce: new Level(),
    seconds: 0,
    ask(give) {
      const launchedAt = bucket.reserve(loop.now);
      loop.at(launchedAt, () => {
        machines.launches.add(launchedAt);
        machines.atOnce.change(1);
      });
      const interruptAt = launchedAt + secondsUntil(terms.interruptionsPerHour, random);
      loop.at(launchedAt + terms.startSeconds, () =>
        give({
          interruptAt: Math.max(interruptAt, loop.now),
          free: () => {
            machines.atOnce.change(-1);
            // Billed from the pull of its image.
            machines.seconds += loop.now - launchedAt;
          },
        }),
      );
    },
  };
  return machines;
}

interface Instance {
  launchedAt: number;
  interruptAt: number;
  used: number;
  idleSince: number;
  isGone: boolean;
}

/** An idle instance is given back after this long, in seconds. */
const idleSeconds = 120;

/** Instances with `slots` jobs each, launched while jobs wait and given back when idle. */
export class Ec2Instances implements Machines {
  readonly launches = new Rate();
  readonly atOnce = new Level();
  seconds = 0;
  readonly #loop: EventLoop;
  readonly #random: () => number;
  readonly #terms: Terms & { slots: number; jobStartSeconds: number };
  readonly #bucket: TokenBucket;
  readonly #waiting: ((place: Place) => void)[] = [];
  readonly #ready = new Set<Instance>();
  #booting = 0;

  constructor(
    loop: EventLoop,
    random: () => number,
    terms: Terms & { slots: number; jobStartSeconds: number },
  ) {
    this.#loop = loop;
    this.#random = random;
    this.#terms = terms;
    this.#bucket = new TokenBucket(terms.launchesPerSecond, terms.launchBurst);
  }

  ask(give: (place: Place) => void): void {
    this.#waiting.push(give);
    this.#serve();
  }

  #serve(): void {
    const { slots, jobStartSeconds } = this.#terms;
    while (this.#waiting.length > 0) {
      const [instance] = this.#ready;
      if (instance === undefined) break;
      const give = this.#waiting.shift();
      const place = this.#placeOn(instance);
      this.#loop.after(jobStartSeconds, () => give?.(place));
    }
    while (this.#waiting.length > this.#booting * slots) this.#launch();
  }

  #placeOn(instance: Instance): Place {
    instance.used += 1;
    if (instance.used >= this.#terms.slots) this.#ready.delete(instance);
    return {
      interruptAt: instance.interruptAt,
      free: () => {
        instance.used -= 1;
        if (instance.isGone) return;
        this.#ready.add(instance);
        if (instance.used === 0) this.#idle(instance);
        this.#serve();
      },
    };
  }

  #launch(): void {
    this.#booting += 1;
    const launchedAt = this.#bucket.reserve(this.#loop.now);
    this.#loop.at(launchedAt, () => {
      this.launches.add(launchedAt);
      this.atOnce.change(1);
    });
    this.#loop.at(launchedAt + this.#terms.startSeconds, () => this.#booted(launchedAt));
  }

  #booted(launchedAt: number): void {
    const { now } = this.#loop;
    this.#booting -= 1;
    const interruptAt = now + secondsUntil(this.#terms.interruptionsPerHour, this.#random);
    const instance: Instance = { launchedAt, interruptAt, used: 0, idleSince: now, isGone: false };
    this.#ready.add(instance);
    if (Number.isFinite(interruptAt)) this.#loop.at(interruptAt, () => this.#leave(instance));
    this.#idle(instance);
    this.#serve();
  }

  #idle(instance: Instance): void {
    instance.idleSince = this.#loop.now;
    this.#loop.after(idleSeconds, () => {
      const isIdle = instance.used === 0 && this.#loop.now - instance.idleSince >= idleSeconds;
      if (isIdle) this.#leave(instance);
    });
  }

  #leave(instance: Instance): void {
    if (instance.isGone) return;
    instance.isGone = true;
    this.#ready.delete(instance);
    this.atOnce.change(-1);
    this.seconds += this.#loop.now - instance.launchedAt;
  }
}
