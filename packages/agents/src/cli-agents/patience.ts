/** A program that is refused everything ends within a second, or goes on trying for minutes. */
const graceMs = 3_000;

/** Ends a program that asks on although nothing can come of it any more. */
export class Patience implements Disposable {
  readonly #isOver: () => boolean;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  /** @param isOver whether every further request will be refused. */
  constructor(isOver: () => boolean) {
    this.#isOver = isOver;
  }

  /** Aborted when the program was given its time. */
  get ended(): AbortSignal {
    return this.#stop.signal;
  }

  /** To be called when something has changed. */
  look(): void {
    if (this.#timer !== undefined || !this.#isOver()) return;
    this.#timer = setTimeout(() => this.#stop.abort(), graceMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
