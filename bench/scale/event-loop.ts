/** Simulated time: callbacks in order of their second, and of their coming where that is the same. */
export class EventLoop {
  /** A binary heap by time, then by number. */
  readonly #heap: { at: number; number: number; run: () => void }[] = [];
  #number = 0;
  #now = 0;

  /** Seconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Runs `run` at a second, or now when that has passed. */
  at(second: number, run: () => void): void {
    this.#number += 1;
    this.#heap.push({ at: Math.max(second, this.#now), number: this.#number, run });
    this.#up(this.#heap.length - 1);
  }

  after(seconds: number, run: () => void): void {
    this.at(this.#now + seconds, run);
  }

  /** Until nothing is left to do. */
  run(): void {
    for (let next = this.#pop(); next !== undefined; next = this.#pop()) {
      this.#now = next.at;
      next.run();
    }
  }

  #pop() {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first !== undefined && last !== undefined && heap.length > 0) {
      heap[0] = last;
      this.#down(0);
    }
    return first;
  }

  #before(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a], this.#heap[b]];
    if (left === undefined || right === undefined) return false;
    return left.at < right.at || (left.at === right.at && left.number < right.number);
  }

  #swap(a: number, b: number): void {
    const [left, right] = [this.#heap[a], this.#heap[b]];
    if (left === undefined || right === undefined) return;
    this.#heap[a] = right;
    this.#heap[b] = left;
  }

  #up(start: number): void {
    for (let child = start; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (!this.#before(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  #down(start: number): void {
    for (let parent = start; ; ) {
      const left = 2 * parent + 1;
      const child = this.#before(left + 1, left) ? left + 1 : left;
      if (!this.#before(child, parent)) return;
      this.#swap(child, parent);
      parent = child;
    }
  }
}
