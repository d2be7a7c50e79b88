import { isPassing } from "../errors.ts";

/** Requests at once that a client of its own accord never exceeds: its sockets. */
const most = 128;

/**
 * How many requests a client has under way at once: half as many after a fault that may pass (throttling, a cut
 * connection), one more for each round that went well, as TCP does it. Requests that began before the last halving
 * say nothing about it. The SDK's own adaptive mode counts requests a second instead, and after a burst of 40 answers
 * of 503 takes 49 s for 20 small objects, where this takes 4 s: leases would run out meanwhile.
 */
export class Pace {
  #window = most;
  #underWay = 0;
  #halvings = 0;
  readonly #waiting: (() => void)[] = [];

  async run<T>(request: () => Promise<T>): Promise<T> {
    while (this.#underWay >= this.window) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#underWay += 1;
    const began = this.#halvings;
    try {
      const answer = await request();
      this.#window = Math.min(most, this.#window + 1 / this.#window);
      return answer;
    } catch (error) {
      if (isPassing(error) && began === this.#halvings) this.#halve();
      throw error;
    } finally {
      this.#underWay -= 1;
      for (let free = this.window - this.#underWay; free > 0; free -= 1) this.#waiting.shift()?.();
    }
  }

  /** Requests at once that are allowed now. */
  get window(): number {
    return Math.floor(this.#window);
  }

  #halve(): void {
    // From what was really under way: a client that does little would feel nothing of half of 128.
    this.#window = Math.max(1, Math.min(this.#window, this.#underWay) / 2);
    this.#halvings += 1;
  }
}

/** Middleware for a client's requests. */
export function paced(pace: Pace) {
  return <Args, Answer>(next: (args: Args) => Promise<Answer>) =>
    (args: Args): Promise<Answer> =>
      pace.run(() => next(args));
}

/** Inside the retries: each attempt waits for its place, and none holds one while it backs off. */
export const eachAttempt = { name: "pace", relation: "after", toMiddleware: "retryMiddleware" } as const;
