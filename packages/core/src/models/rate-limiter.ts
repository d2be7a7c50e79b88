import type { Clock } from "../ports/clock.ts";

export interface RateLimits {
  requestsPerMinute?: number | undefined;
  /** Prompt plus completion tokens. */
  tokensPerMinute?: number | undefined;
}

/** Leave for one request. */
export interface Permit {
  /** Corrects the estimate by what the request used, once that is known; 0 for one that was refused. */
  settle(tokens: number): void;
}

const minuteMs = 60_000;

/**
 * Of a minute's allowance, what may be used at once after a pause. Providers count by buckets that fill continuously or
 * by short windows, so that a whole minute's requests in one second are refused; ten seconds' worth are not.
 */
const burstShare = 1 / 6;

/** An allowance that fills by the clock. It may be overdrawn by one request; those after it wait until it is paid back. */
class Bucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #level: number;
  #at: number;

  constructor(perMinute: number, now: number) {
    this.#perMs = perMinute / minuteMs;
    this.#capacity = Math.max(1, perMinute * burstShare);
    this.#level = this.#capacity;
    this.#at = now;
  }

  /** Milliseconds until `amount`, or all that the bucket holds, can be taken. */
  waitMs(amount: number, now: number): number {
    this.#fill(now);
    const missing = Math.min(amount, this.#capacity) - this.#level;
    return missing <= 1e-9 ? 0 : Math.ceil(missing / this.#perMs);
  }

  take(amount: number): void {
    this.#level = Math.min(this.#capacity, this.#level - amount);
  }

  #fill(now: number): void {
    this.#level = Math.min(this.#capacity, this.#level + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
  }
}

/**
 * Requests and tokens a minute of one provider, for everything in this process that asks it. First come, first served;
 * a pause that the provider asks for holds for all.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #requests: Bucket | undefined;
  readonly #tokens: Bucket | undefined;
  #pausedUntil = 0;
  /** Resolves when the one who came last has its leave or has gone. */
  #last: Promise<void> = Promise.resolve();

  constructor({ requestsPerMinute, tokensPerMinute }: RateLimits, clock: Clock) {
    const now = clock.now();
    this.#clock = clock;
    this.#requests = requestsPerMinute === undefined ? undefined : new Bucket(requestsPerMinute, now);
    this.#tokens = tokensPerMinute === undefined ? undefined : new Bucket(tokensPerMinute, now);
  }

  /**
   * Waits until a request of about `tokens` tokens may be sent.
   * @throws the signal's reason, when it is aborted first.
   */
  async acquire(tokens: number, signal: AbortSignal): Promise<Permit> {
    signal.throwIfAborted();
    const before = this.#last;
    const { promise: done, resolve: pass } = Promise.withResolvers<void>();
    this.#last = before.then(() => done);
    try {
      await orAborted(before, signal);
      for (let ms = this.#waitMs(tokens); ms > 0; ms = this.#waitMs(tokens))
        await this.#clock.sleep(ms, signal);
      this.#requests?.take(1);
      this.#tokens?.take(tokens);
    } finally {
      pass();
    }
    return { settle: (used) => this.#tokens?.take(used - tokens) };
  }

  /** Nobody asks for so long: the provider wants it. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock.now() + ms);
  }

  #waitMs(tokens: number): number {
    const now = this.#clock.now();
    return Math.max(
      this.#pausedUntil - now,
      this.#requests?.waitMs(1, now) ?? 0,
      this.#tokens?.waitMs(tokens, now) ?? 0,
    );
  }
}

async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
