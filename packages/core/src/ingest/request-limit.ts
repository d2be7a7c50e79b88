/** How many requests are let out at first, and the most unless told otherwise. */
const FIRST_LIMIT = 8;
export const MOST_REQUESTS = 32;

/** What `enter` gives and `leave` takes back. */
export interface Entry {
  /** How often the limit had been cut when the request went out. */
  cuts: number;
}

/**
 * How many requests may be under way: one more after each round of answers, half as many when the server says that it
 * has too many of them (additive increase, multiplicative decrease, as TCP does it).
 */
export class RequestLimit {
  readonly #most: number;
  #limit: number;
  #open = 0;
  #cuts = 0;
  /** Answers since the limit last changed. */
  #answers = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
    this.#limit = Math.min(FIRST_LIMIT, most);
  }

  /** Resolves when a request may go out. @throws the signal's reason. */
  async enter(signal?: AbortSignal): Promise<Entry> {
    signal?.throwIfAborted();
    if (this.#open >= this.#limit) await this.#wait(signal);
    else this.#open += 1;
    return { cuts: this.#cuts };
  }

  /** @param tooMany the server answered that it has too many requests. */
  leave({ cuts }: Entry, tooMany: boolean): void {
    this.#open -= 1;
    if (!tooMany) this.#grow();
    // The others of the same crowd say no more than the first did.
    else if (cuts === this.#cuts) this.#cut();
    while (this.#open < this.#limit && this.#waiting.length > 0) {
      this.#open += 1;
      this.#waiting.shift()?.();
    }
  }

  #grow(): void {
    this.#answers += 1;
    if (this.#answers < this.#limit) return;
    this.#answers = 0;
    this.#limit = Math.min(this.#most, this.#limit + 1);
  }

  #cut(): void {
    this.#cuts += 1;
    this.#answers = 0;
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
  }

  /** `leave` counts the one whom it calls. */
  async #wait(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener("abort", stop);
        resolve();
      };
      const stop = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.#waiting.push(enter);
    });
  }
}
